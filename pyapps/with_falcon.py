"""A notebook in Falcon: an API that takes and gives JSON.

    apt-get install python3-falcon
    gateway with_falcon
    curl -H 'Content-Type: application/json' -d '{"note": "milk"}' http://127.0.0.1:8000/
    curl http://127.0.0.1:8000/

falcon.App is WSGI; falcon.asgi.App is not, and gateway would say so.
"""

import falcon


class Notes:
    def on_get(self, request, response):
        # In a file, because workers are processes: a list in this module would be another one in each of them.
        with open("notes.txt", "a+", encoding="utf-8") as file:
            file.seek(0)
            response.media = {"notes": file.read().splitlines()}

    def on_post(self, request, response):
        # Also when the client sends it in chunks: the request is whole, and has a length, before this is called.
        note = request.get_media()["note"]
        with open("notes.txt", "a", encoding="utf-8") as file:
            file.write(note + "\n")
        response.status = falcon.HTTP_201
        response.media = {"note": note}


application = falcon.App()
application.add_route("/", Notes())
