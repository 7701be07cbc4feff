"""A Django REST framework API in one file: users in sqlite, tokens of HTTP Basic, throttling by the client's address, uploads."""

import os

import django
from django.conf import settings

settings.configure(
    SECRET_KEY="for tests",
    ALLOWED_HOSTS=["127.0.0.1", "example.org"],
    ROOT_URLCONF=__name__,
    USE_TZ=True,
    DATABASES={
        "default": {"ENGINE": "django.db.backends.sqlite3", "NAME": os.path.join(os.environ["SITE_DIRECTORY"], "rest")}
    },
    DEFAULT_AUTO_FIELD="django.db.models.AutoField",
    INSTALLED_APPS=["django.contrib.auth", "django.contrib.contenttypes", "django.contrib.staticfiles", "rest_framework"],
    STATIC_URL="/static/",
    TEMPLATES=[{"BACKEND": "django.template.backends.django.DjangoTemplates", "APP_DIRS": True}],
    PASSWORD_HASHERS=["django.contrib.auth.hashers.MD5PasswordHasher"],
    REST_FRAMEWORK={
        "DEFAULT_AUTHENTICATION_CLASSES": ["rest_framework.authentication.BasicAuthentication"],
        "DEFAULT_PERMISSION_CLASSES": ["rest_framework.permissions.IsAuthenticated"],
        "DEFAULT_PAGINATION_CLASS": "rest_framework.pagination.PageNumberPagination",
        "PAGE_SIZE": 3,
        "DEFAULT_THROTTLE_RATES": {"anon": "2/day"},
    },
)
django.setup()

from django.contrib.auth.models import User  # noqa: E402
from django.core.wsgi import get_wsgi_application  # noqa: E402
from django.urls import include, path  # noqa: E402
from rest_framework import parsers, permissions, response, routers, serializers, throttling, views, viewsets  # noqa: E402


class UserSerializer(serializers.HyperlinkedModelSerializer):
    class Meta:
        model = User
        fields = ["url", "username", "first_name", "email"]


class Users(viewsets.ModelViewSet):
    queryset = User.objects.order_by("id")
    serializer_class = UserSerializer


class Upload(views.APIView):
    parser_classes = [parsers.FileUploadParser]

    def put(self, request, filename):
        file = request.data["file"]
        return response.Response({"name": file.name, "size": file.size})


class Seldom(views.APIView):
    """Twice a day for each address."""

    throttle_classes = [throttling.AnonRateThrottle]
    permission_classes = [permissions.AllowAny]

    def get(self, request):
        return response.Response({"address": self.get_throttles()[0].get_ident(request)})


router = routers.DefaultRouter()
router.register("users", Users)
urlpatterns = [
    path("", include(router.urls)),
    path("upload/<str:filename>", Upload.as_view()),
    path("seldom", Seldom.as_view()),
]

application = get_wsgi_application()
