/*
 * start_response, write() and client_disconnected(): their arguments, their order, and their state
 * after the request.
 */
#include "py/start_response.h"

#include "py/header_cache.h"

#include "fake_call.h"

static struct fake_call fake;
static struct responder_trio trio;
static PyObject *globals; /* "s" is start_response, and "gone" is client_disconnected */

static void begin(void)
{
    fake_open(&fake, "GET / HTTP/1.1", fake_section("Host: a\r\n"), NULL);
    ck_assert_int_eq(responder_begin(&trio, &fake.call), 0);
}

static void end(void)
{
    responder_end(&trio);
    fake_close(&fake);
}

static void publish(void)
{
    ck_assert_int_eq(PyDict_SetItemString(globals, "s", trio.start_response), 0);
    ck_assert_int_eq(PyDict_SetItemString(globals, "gone", trio.client_disconnected), 0);
}

static void start(void)
{
    embedded_start();
    ck_assert_int_eq(responder_init(), 0);
    begin();
    globals = fake_globals();
    publish();
    fake_execute("import sys\n"
                 "def caught(error='x'):\n"
                 "    try: raise KeyError(error)\n"
                 "    except KeyError: return sys.exc_info()\n",
                 globals);
}

static void stop(void)
{
    end();
    responder_free(&trio);
    embedded_stop();
}

static const struct {
    const char *name, *statements;
    const char *raised; /* a part of "Type: text" of the last statement; NULL: none */
    const char *head, *written;
} cases[] = {
    {"positional", "s('200 OK', [('A', 'b')])", NULL, "HTTP/1.1 200 OK\r\nA: b\r\n", ""},
    {"with exc_info", "s('200 OK', [], None)", NULL, "HTTP/1.1 200 OK\r\n", ""},
    {"keywords", "s(headers=[('A', 'b')], status='200 OK')", NULL, "HTTP/1.1 200 OK\r\nA: b\r\n", ""},
    {"keywords behind positional", "s('200 OK', headers=[], exc_info=None)", NULL, "HTTP/1.1 200 OK\r\n", ""},
    {"a tuple of headers", "s('200 OK', (('A', 'b'),))",
     "TypeError: headers must be a list of (name, value) tuples, not tuple", "HTTP/1.1 200 OK\r\n", ""},
    {"a subclass of list", "s('200 OK', type('L', (list,), {})([('A', 'b')]))", NULL,
     "HTTP/1.1 200 OK\r\nA: b\r\n", ""},
    {"repeated headers", "s('200 OK', [('A', 'b'), ('A', 'c')])", NULL, "HTTP/1.1 200 OK\r\nA: b\r\nA: c\r\n",
     ""},
    {"latin-1", "s('200 \\xe4', [('A', '\\xff')])", NULL, "HTTP/1.1 200 \xe4\r\nA: \xff\r\n", ""},
    {"an empty reason", "s('200 ', [])", NULL, "HTTP/1.1 200 \r\n", ""},
    {"it returns write", "w = s('200 OK', [])\nassert w(b'one') is None\nw(b'')\nw(b'two')", NULL,
     "HTTP/1.1 200 OK\r\n", "[one][two]"},

    {"no arguments", "s()", "TypeError: start_response() needs its argument 'status'", "", ""},
    {"no headers", "s('200 OK')", "TypeError: start_response() needs its argument 'headers'", "", ""},
    {"four arguments", "s('200 OK', [], None, None)", "TypeError: start_response() takes at most 3", "", ""},
    {"an unknown keyword", "s('200 OK', [], body=b'')", "TypeError: start_response() got an unexpected", "",
     ""},
    {"an argument twice", "s('200 OK', [], status='200 OK')", "TypeError: start_response() got an unexpected",
     "", ""},
    {"bytes as status", "s(b'200 OK', [])", "TypeError: the status must be str, not bytes", "", ""},
    {"a number as status", "s(200, [])", "TypeError: the status must be str, not int", "", ""},
    {"no reason", "s('200', [])", "ValueError: status '200': ", "", ""},
    {"a line end in the status", "s('200 OK\\r\\nA: b', [])", "ValueError: status '200 OK\\r\\nA: b': ", "",
     ""},
    {"1xx", "s('100 Continue', [])", "ValueError: status '100 Continue': ", "", ""},
    {"a status outside latin-1", "s('200 \\u20ac', [])",
     "ValueError: the status has characters outside latin-1", "", ""},
    {"a dict of headers", "s('200 OK', {})",
     "TypeError: headers must be a list of (name, value) tuples, not dict", "HTTP/1.1 200 OK\r\n", ""},
    {"an iterator of headers", "s('200 OK', iter([]))", "TypeError: headers must be a list",
     "HTTP/1.1 200 OK\r\n", ""},
    {"None for headers", "s('200 OK', None)", "TypeError: headers must be a list", "HTTP/1.1 200 OK\r\n", ""},
    {"a list as a header", "s('200 OK', [['A', 'b']])", "TypeError: headers must be (name, value) tuples",
     "HTTP/1.1 200 OK\r\n", ""},
    {"a number as value", "s('200 OK', [('A', 1)])", "TypeError: a header's value must be str, not int",
     "HTTP/1.1 200 OK\r\n", ""},
    {"bytes as name", "s('200 OK', [(b'A', 'b')])", "TypeError: a header's name must be str, not bytes",
     "HTTP/1.1 200 OK\r\n", ""},
    {"a value outside latin-1", "s('200 OK', [('A', '\\u20ac')])",
     "ValueError: a header's value has characters", "HTTP/1.1 200 OK\r\n", ""},
    {"an empty name", "s('200 OK', [('', 'b')])", "ValueError: header ('', 'b'): ", "HTTP/1.1 200 OK\r\n",
     ""},
    {"a space in a name", "s('200 OK', [('A b', 'c')])", "ValueError: header", "HTTP/1.1 200 OK\r\n", ""},
    {"a colon in a name", "s('200 OK', [('A:', 'c')])", "ValueError: header", "HTTP/1.1 200 OK\r\n", ""},
    {"LF in a value", "s('200 OK', [('A', 'b\\nC: d')])", "ValueError: header", "HTTP/1.1 200 OK\r\n", ""},
    {"CR in a value", "s('200 OK', [('A', 'b\\rC: d')])", "ValueError: header", "HTTP/1.1 200 OK\r\n", ""},
    {"NUL in a value", "s('200 OK', [('A', '\\0')])", "ValueError: header", "HTTP/1.1 200 OK\r\n", ""},
    {"a tab in a value", "s('200 OK', [('A', 'b\\tc')])", "ValueError: header", "HTTP/1.1 200 OK\r\n", ""},
    {"a hop-by-hop header", "s('200 OK', [('upgrade', 'h2c')])", "ValueError: header", "HTTP/1.1 200 OK\r\n",
     ""},
    {"the connection's options", "s('200 OK', [('connection', 'x')])", "ValueError: header",
     "HTTP/1.1 200 OK\r\n", ""},
    {"what is taken off", "s('200 OK', [('connection', 'close'), ('A', 'b'), ('Keep-Alive', '')])", NULL,
     "HTTP/1.1 200 OK\r\nA: b\r\n", ""},
    {"the server's framing", "s('200 OK', [('Transfer-Encoding', 'chunked')])", "ValueError: header",
     "HTTP/1.1 200 OK\r\n", ""},
    {"two lengths", "s('200 OK', [('Content-Length', '1'), ('Content-Length', '1')])", "ValueError: header",
     "HTTP/1.1 200 OK\r\nContent-Length: 1\r\n", ""},

    {"twice", "s('200 OK', [])\ns('404 Gone', [])",
     "AssertionError: start_response() was called a second time", "HTTP/1.1 200 OK\r\n", ""},
    {"again after it was refused", "try: s('200 OK', None)\nexcept TypeError: s('404 Gone', [])", NULL,
     "HTTP/1.1 404 Gone\r\n", ""},
    {"again with exc_info", "s('200 OK', [('A', 'b')])\ns('500 No', [('C', 'd')], caught())", NULL,
     "HTTP/1.1 500 No\r\nC: d\r\n", ""},
    {"exc_info by its name", "s('200 OK', [])\ns('500 No', [], exc_info=caught())", NULL,
     "HTTP/1.1 500 No\r\n", ""},
    {"first with exc_info", "s('500 No', [], caught())", NULL, "HTTP/1.1 500 No\r\n", ""},
    {"exc_info replaces a length",
     "s('200 OK', [('Content-Length', '1')])\n"
     "s('500 No', [('Content-Length', '2')], caught())",
     NULL, "HTTP/1.1 500 No\r\nContent-Length: 2\r\n", ""},
    {"exc_info that is none", "s('200 OK', [], 1)", "TypeError: exc_info must be a tuple", "", ""},
    {"exc_info of two", "s('200 OK', [], (KeyError, KeyError()))", "TypeError: exc_info must be a tuple", "",
     ""},
    {"the original exception once the head has left",
     "s('200 OK', [])(b'x')\ns('500 No', [], caught('first'))", "KeyError: 'first'", "HTTP/1.1 200 OK\r\n",
     "[x]"},
    {"exc_info without a value once the head has left",
     "s('200 OK', [])(b'x')\ns('500 No', [], (KeyError, 'a', None))", "KeyError: 'a'", "HTTP/1.1 200 OK\r\n",
     "[x]"},
    {"exc_info of nothing once the head has left",
     "s('200 OK', [])(b'x')\ns('500 No', [], (None, None, None))", "TypeError: exc_info holds no exception",
     "HTTP/1.1 200 OK\r\n", "[x]"},
    {"an empty write leaves the head open", "s('200 OK', [])(b'')\ns('500 No', [], caught())", NULL,
     "HTTP/1.1 500 No\r\n", ""},

    {"write of str", "s('200 OK', [])('x')", "TypeError: write() takes bytes, not str", "HTTP/1.1 200 OK\r\n",
     ""},
    {"write of a bytearray", "s('200 OK', [])(bytearray(b'x'))", "TypeError: write() takes bytes",
     "HTTP/1.1 200 OK\r\n", ""},
    {"write of nothing at all", "s('200 OK', [])()", "TypeError: ", "HTTP/1.1 200 OK\r\n", ""},
    {"write of a subclass of bytes", "s('200 OK', [])(type('B', (bytes,), {})(b'x'))", NULL,
     "HTTP/1.1 200 OK\r\n", "[x]"},
    {"write after a head that was refused half-way",
     "w = s('200 OK', [])\n"
     "try: s('500 No', [('A', 'b'), ('C', 1)], caught())\nexcept TypeError: w(b'x')",
     "AssertionError: write() was called after start_response() had failed", "HTTP/1.1 500 No\r\nA: b\r\n",
     ""},
    {"no responder can be made", "type(s.__self__)()",
     "TypeError: cannot create 'gateway.Responder' instances", "", ""},
};

/* "Type: text" of the present exception, or NULL; clears it. */
static char *raised(void)
{
    PyObject *exception = exception_take();
    if (exception == NULL)
        return NULL;
    PyObject *said = PyObject_Str(exception);
    char *text = xasprintf("%s: %s", Py_TYPE(exception)->tp_name, PyUnicode_AsUTF8(said));
    Py_DECREF(said);
    Py_DECREF(exception);
    return text;
}

START_TEST(calls_answer_as_the_table_says)
{
    PyObject *value = PyRun_String(cases[_i].statements, Py_file_input, globals, globals);
    char *text = value == NULL ? raised() : NULL;
    Py_XDECREF(value);
    if (cases[_i].raised == NULL)
        ck_assert_msg(text == NULL, "%s: raised %s", cases[_i].name, text);
    else
        ck_assert_msg(text != NULL && strncmp(text, cases[_i].raised, strlen(cases[_i].raised)) == 0,
                      "%s: raised %s", cases[_i].name, text);
    unit_assert_bytes(cases[_i].name, fake.response.head, fake.response.size, cases[_i].head,
                      strlen(cases[_i].head));
    ck_assert_msg(strcmp(fake.written, cases[_i].written) == 0, "%s: wrote %s", cases[_i].name, fake.written);
    free(text);
}
END_TEST

START_TEST(the_traceback_of_exc_info_is_kept)
{
    fake_execute("s('200 OK', [])(b'x')\n"
                 "info = caught()\n"
                 "try: s('500 No', [], info)\n"
                 "except KeyError as e:\n"
                 "    assert e is info[1]\n"
                 "    t = e.__traceback__\n"
                 "    while t.tb_next: t = t.tb_next\n"
                 "    assert t.tb_frame.f_code.co_name == 'caught'\n"
                 "else: assert 0\n",
                 globals);
}
END_TEST

START_TEST(write_tells_when_the_client_is_gone)
{
    fake_execute("w = s('200 OK', [])\nw(b'one')\n", globals);
    ck_assert(!trio.responder->client_gone);
    fake.client_gone = true;
    fake_execute("try: w(b'two')\nexcept BrokenPipeError: pass\nelse: assert 0\n", globals);
    ck_assert(trio.responder->client_gone);
    ck_assert_str_eq(fake.written, "[one]");
}
END_TEST

START_TEST(whether_the_client_is_gone_is_told_whenever_it_is_asked)
{
    fake_execute("assert gone() is False\ns('200 OK', [])\nassert gone() is False\n", globals);
    fake.client_gone = true;
    fake_execute("assert gone() is True\n", globals);
    fake_execute("import threading\nanswers = []\n"
                 "thread = threading.Thread(target=lambda: answers.append(gone()))\n"
                 "thread.start()\nthread.join()\nassert answers == [True]\n"
                 "try: gone(1)\nexcept TypeError: pass\nelse: assert 0\n",
                 globals);
}
END_TEST

/* Objects that the application holds beyond its call; `s` and `gone` themselves are released
 * first. */
static const struct {
    const char *name, *statements;
    bool kept;
} held[] = {
    {"nothing", "", false},
    {"start_response", "kept = s", true},
    {"write", "kept = s('200 OK', [])", true},
    {"client_disconnected", "kept = gone", true},
    {"the object behind them", "kept = s.__self__", true},
    {"an exception that holds it",
     "def app(s):\n    raise KeyError\ntry: app(s)\nexcept KeyError as e: kept = e", true},
};

START_TEST(the_trio_is_used_again_unless_the_application_holds_it)
{
    PyObject *b_first = trio.start_response;
    struct responder *first = trio.responder;
    fake_execute(held[_i].statements, globals);
    fake_execute("del s, gone\n", globals);
    end();
    begin();
    ck_assert_msg((trio.start_response == b_first && trio.responder == first) == !held[_i].kept, "%s",
                  held[_i].name);
    publish();
    fake_execute("s('200 OK', [('A', 'b')])(b'x')\n", globals);
    ck_assert_str_eq(fake.written, "[x]");
}
END_TEST

START_TEST(what_is_kept_does_nothing_after_the_request)
{
    fake_execute("kept, w = s, s('200 OK', [])\n", globals);
    fake_execute("assert not gone()\n", globals);
    end();
    for (int again = 0; again < 2; again++) {
        fake_execute("assert gone() is True\n", globals);
        fake_execute("for f, args in ((kept, ('200 OK', [])), (kept, ('500 No', [], caught())), (w, "
                     "(b'x',)), (w, (b'',))):\n"
                     "    try: f(*args)\n"
                     "    except RuntimeError as e: assert 'after its request was over' in str(e)\n"
                     "    else: assert 0\n",
                     globals);
        if (again == 0)
            begin(); /* the next request does not get it, either */
        ck_assert_uint_eq(fake.response.size, 0);
        ck_assert_str_eq(fake.written, "");
    }
}
END_TEST

START_TEST(calls_leave_nothing_behind)
{
    fake_execute("del s, gone\n", globals);
    for (long run = 0, before = 0; run < 400; run++) {
        if (run == 200 || run == 399)
            header_cache_clear(); /* the occupied slots depend on addresses */
        if (run == 200)
            before = fake_blocks();
        end();
        begin();
        publish();
        fake_execute("w = s(status='200 OK', headers=[('A', 'b')])\nw(b'x')\n"
                     "try: s('500 No', [], caught())\nexcept KeyError: pass\n"
                     "try: s('500 No', [], a=1)\nexcept TypeError: pass\n",
                     globals);
        if (run % 2 == 0)
            fake_execute("del s, w, gone\n", globals);
        if (run == 399)
            ck_assert_int_le(fake_blocks() - before, 20);
    }
}
END_TEST

static void add(TCase *tests)
{
    tcase_add_checked_fixture(tests, start, stop);
    unit_add_rows(tests, calls_answer_as_the_table_says, cases);
    tcase_add_test(tests, the_traceback_of_exc_info_is_kept);
    tcase_add_test(tests, write_tells_when_the_client_is_gone);
    tcase_add_test(tests, whether_the_client_is_gone_is_told_whenever_it_is_asked);
    unit_add_rows(tests, the_trio_is_used_again_unless_the_application_holds_it, held);
    tcase_add_test(tests, what_is_kept_does_nothing_after_the_request);
    tcase_add_test(tests, calls_leave_nothing_behind);
}

int main(void)
{
    return unit_run("py/start_response", add);
}
