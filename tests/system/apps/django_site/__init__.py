"""A Django project of the usual shape, for test_app_django.py: the admin site, uploads, streaming, sqlite and PostgreSQL."""
