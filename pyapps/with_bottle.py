"""A notebook in Bottle: a page with a form.

    apt-get install python3-bottle
    gateway with_bottle

then http://127.0.0.1:8000/. What Bottle's run() would serve is its default application: bottle.app() returns it.
"""

import bottle

PAGE = """<!DOCTYPE html><title>Notes</title>
<form method="post"><input name="note" autofocus><button>Keep</button></form>
<ul>
% for note in notes:
<li>{{note}}</li>
% end
</ul>"""


@bottle.get("/")
def show():
    # In a file, because workers are processes: a list in this module would be another one in each of them.
    with open("notes.txt", "a+", encoding="utf-8") as file:
        file.seek(0)
        return bottle.template(PAGE, notes=file.read().splitlines())


@bottle.post("/")
def keep():
    with open("notes.txt", "a", encoding="utf-8") as file:
        file.write(bottle.request.forms.getunicode("note") + "\n")
    bottle.redirect("/", 303)


application = bottle.app()
