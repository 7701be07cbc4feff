"""A notebook in Django, in one file: a page with a form, and the notes in a database.

    apt-get install python3-django
    gateway with_django

then http://127.0.0.1:8000/. A project made by `django-admin startproject shop` has the last lines of this in shop/wsgi.py already:
gateway shop.wsgi, from the directory with manage.py. Migrations are run before the start, by manage.py, not by the workers.
"""

import sqlite3

from django.conf import settings
from django.core.wsgi import get_wsgi_application
from django.db import connection
from django.http import HttpResponse
from django.shortcuts import redirect
from django.template import engines
from django.urls import path

settings.configure(
    SECRET_KEY="not for a real site",
    ALLOWED_HOSTS=["*"],  # and this neither
    ROOT_URLCONF=__name__,
    DATABASES={"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": "notes.sqlite3"}},
    MIDDLEWARE=["django.middleware.csrf.CsrfViewMiddleware"],
    TEMPLATES=[{"BACKEND": "django.template.backends.django.DjangoTemplates"}],
)

# What a migration would do. Every worker comes by here.
with sqlite3.connect("notes.sqlite3") as database:
    database.execute("CREATE TABLE IF NOT EXISTS notes (note TEXT)")
database.close()

PAGE = """<!DOCTYPE html><title>Notes</title>
<form method="post">{% csrf_token %}<input name="note" autofocus><button>Keep</button></form>
<ul>{% for note in notes %}<li>{{ note }}</li>{% endfor %}</ul>"""


def notes(request):
    with connection.cursor() as cursor:
        if request.method == "POST":
            cursor.execute("INSERT INTO notes VALUES (%s)", [request.POST["note"]])
            return redirect("/")
        cursor.execute("SELECT note FROM notes")
        found = [note for (note,) in cursor]
    return HttpResponse(engines["django"].from_string(PAGE).render({"notes": found}, request))


urlpatterns = [path("", notes)]

application = get_wsgi_application()
