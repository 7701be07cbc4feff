"""Django REST framework: a client of an API makes things, pages through them by the links it is given, changes and deletes them."""

from debian import APPS, needs, python
from visitor import Visitor

needs(django="python3-django", rest_framework="python3-djangorestframework")

ANN = {"Authorization": "Basic YW5uOnNlY3JldA=="}  # ann:secret

PREPARE = """
import rest_site
from django.core.management import call_command
call_command("migrate", verbosity=0)
rest_site.User.objects.create_superuser("ann", password="secret")
"""


def test_a_client_of_an_api_has_its_way(serve, tmp_path):
    env = {"SITE_DIRECTORY": str(tmp_path)}
    python("-c", PREPARE, env=env)
    server = serve("rest_site", "--pythonpath", APPS, "--threads", 4, env=env)
    visitor = Visitor(server)

    refused = visitor.visit("/users/")
    assert refused.status == 401 and refused.headers["WWW-Authenticate"] == 'Basic realm="api"'

    for number in range(6):
        user = {"username": f"user{number}", "first_name": "Zoë"}
        made = visitor.send_json("/users/", user, headers=ANN)
        assert made.status == 201 and made.headers["Location"] == made.json["url"]
    invalid = visitor.send_json("/users/", {"username": "not allowed!"}, headers=ANN)
    assert (invalid.status, list(invalid.json)) == (400, ["username"])

    # The links have to lead back here: they are made of Host, scheme and path.
    names, page = [], visitor.visit("/users/", headers=ANN).json
    while page["next"]:
        assert page["next"].startswith(visitor.root + "/users/?page=")
        names += [user["username"] for user in page["results"]]
        page = visitor.visit(page["next"][len(visitor.root) :], headers=ANN).json
    names += [user["username"] for user in page["results"]]
    assert names == ["ann", *(f"user{number}" for number in range(6))]

    own = made.json["url"][len(visitor.root) :]
    changed = visitor.send_json(own, {"first_name": "Åsa"}, "PATCH", ANN)
    assert (changed.status, changed.json["first_name"]) == (200, "Åsa")
    assert b"\xc3\x85sa" in visitor.visit(own, headers=ANN).body
    with_page = visitor.visit(own, headers={**ANN, "Accept": "text/html"})
    assert with_page.headers["Content-Type"].startswith("text/html") and "Åsa" in with_page.text
    deleted = visitor.visit(own, headers=ANN, method="DELETE")
    assert (deleted.status, deleted.body) == (204, b"")
    assert visitor.visit(own, headers=ANN).status == 404

    data = b"\x00\xff" * 2000000
    kind = {"Content-Type": "application/octet-stream"}
    sent = visitor.visit("/upload/some.bin", data, {**ANN, **kind}, "PUT")
    assert sent.json == {"name": "some.bin", "size": len(data)}
    assert visitor.visit("/upload/some.bin", b"{}", {**ANN, "Content-Type": "a/b"}, "POST").status == 405

    # By the address that the server tells.
    assert [visitor.visit("/seldom").status for _ in range(3)] == [200, 200, 429]
    options = server.request("OPTIONS", "/users/", list(ANN.items()))
    assert options.status == 200 and options.get("Allow") == "GET, POST, HEAD, OPTIONS"
