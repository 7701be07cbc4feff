"""A notebook in Flask: a page with a form.

    apt-get install python3-flask
    gateway with_flask

then http://127.0.0.1:8000/. A Flask object is a WSGI application as it is; what `flask run` is for development, the line above is for
production. Should yours be made by a function, name the call: gateway 'shop:create_app()'.
"""

import flask

app = flask.Flask(__name__)

PAGE = """<!DOCTYPE html><title>Notes</title>
<form method="post"><input name="note" autofocus><button>Keep</button></form>
<ul>{% for note in notes %}<li>{{ note }}</li>{% endfor %}</ul>"""


@app.get("/")
def show():
    # In a file, because workers are processes: a list in this module would be another one in each of them.
    with open("notes.txt", "a+", encoding="utf-8") as file:
        file.seek(0)
        return flask.render_template_string(PAGE, notes=file.read().splitlines())


@app.post("/")
def keep():
    with open("notes.txt", "a", encoding="utf-8") as file:
        file.write(flask.request.form["note"] + "\n")
    return flask.redirect("/", 303)
