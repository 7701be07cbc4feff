from django.contrib import admin
from django.urls import path

from . import views

urlpatterns = [
    path("admin/", admin.site.urls),
    path("documents/<int:number>", views.document),
    path("client/<str:name>", views.client),
    path("body", views.body),
    path("stream<path:gate>", views.stream),
    path("finished", views.finished),
    path("big", views.big),
    path("fail", views.fail),
]
