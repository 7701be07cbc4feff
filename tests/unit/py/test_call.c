/*
 * One call of the application, step by step: the output of every kind of application, and that
 * close() runs once.
 *
 * The applications are Python source. `note(text)` in it writes into the trace, between the steps
 * that the caller sees.
 */
#include "py/call.h"

#include "fake_call.h"
#include "py/application_object.h"
#include "py/input.h"

/* A leak in each run exceeds this number; the interpreter's own caches stay below it. */
enum { RUNS = 300, STAYS_AT_MOST = RUNS * 3 / 4 };

static char trace[2048];
static struct application application;
static struct caller *caller;
static PyObject *globals;

__attribute__((format(printf, 1, 2))) static void note(const char *format, ...)
{
    size_t n = strlen(trace);
    va_list args;
    va_start(args, format);
    vsnprintf(trace + n, sizeof(trace) - n, format, args);
    va_end(args);
}

static PyObject *note_from_python(PyObject *self, PyObject *text)
{
    (void)self;
    note("%s ", PyUnicode_AsUTF8(text));
    Py_RETURN_NONE;
}

static int write_noted(void *context, struct slice data)
{
    struct fake_call *fake = context;
    if (fake->client_gone)
        return -1;
    note("write[%.*s] ", (int)data.size, data.data);
    return 0;
}

static PyMethodDef note_definition = {"note", note_from_python, METH_O, NULL};

/* Shared by the applications below. */
static const char prelude[] = "import sys, io\n"
                              "class Body:\n"
                              "    def __init__(self, *items): self.items = list(items)\n"
                              "    def __iter__(self): return self\n"
                              "    def __next__(self):\n"
                              "        if not self.items: raise StopIteration\n"
                              "        item = self.items.pop(0)\n"
                              "        if isinstance(item, BaseException): raise item\n"
                              "        return item\n"
                              "    def close(self): note('close')\n"
                              "def caught():\n"
                              "    try: raise KeyError('x')\n"
                              "    except KeyError: return sys.exc_info()\n"
                              "OK = '200 OK', []\n";

static void start(void)
{
    embedded_start();
    embedded_write("ten", "0123456789");
    globals = fake_globals();
    PyObject *function = PyCFunction_New(&note_definition, NULL);
    ck_assert_int_eq(PyDict_SetItemString(globals, "note", function), 0);
    Py_DECREF(function);
    fake_execute(prelude, globals);
}

static void make_caller(const char *source)
{
    fake_execute(source, globals);
    application.callable = PyDict_GetItemString(globals, "app");
    ck_assert_ptr_nonnull(application.callable);
    ck_assert_int_eq(call_init(&fake_options, false), 0);
    caller = caller_new(&application);
    ck_assert_ptr_nonnull(caller);
}

static void stop(void)
{
    caller_free(caller);
    embedded_stop();
}

static void note_chunks(const struct call_output *output)
{
    uint64_t size = 0;
    note("%s", output->known ? "known" : "");
    for (size_t i = 0; i < output->count; i++) {
        const struct slice *chunk = &output->chunks[i];
        ck_assert_uint_gt(chunk->size, 0);
        note("[%.*s%s]", chunk->size > 40 ? 2 : (int)chunk->size, chunk->data, chunk->size > 40 ? "..." : "");
        size += chunk->size;
    }
    note(" ");
    ck_assert_uint_eq(size, output->size);
}

static void note_file(const struct call_output *output)
{
    char bytes[64];
    ssize_t n = pread(output->fd, bytes, output->size, output->offset);
    ck_assert_int_eq(n, (ssize_t)output->size);
    note("%sfile[%.*s] ", output->known ? "known" : "", (int)n, bytes);
}

/* Runs a call as the handler does; `trace` has the events. The response is left for the test. */
static void run(struct fake_call *fake, bool client_gone)
{
    struct call_output output;
    trace[0] = '\0';
    fake_open(fake, "GET /the/path?query HTTP/1.1", fake_section("Host: a\r\n"), NULL);
    fake->call.write = write_noted;
    fake->client_gone = client_gone;
    enum call_step step = call_start(caller, &fake->call, &output);
    for (; step == CALL_CHUNKS; step = call_next(caller, &output))
        note_chunks(&output);
    if (step == CALL_FILE)
        note_file(&output);
    else if (step == CALL_END)
        note(output.known ? "known end " : "end ");
    else
        note("failed ");
    ck_assert_ptr_null(PyErr_Occurred());
    call_finish(caller);
    ck_assert_ptr_null(PyErr_Occurred());
    if (trace[0] != '\0')
        trace[strlen(trace) - 1] = '\0';
}

#define APP    "def app(environ, start_response):\n"
#define START  " start_response('200 OK', [('A', 'b')])\n"
#define HEAD   "HTTP/1.1 200 OK\r\nA: b\r\n"
#define ITEMS  "[b'x'] * "
#define MANY   "[x][x][x][x][x][x][x][x]"
#define MANY64 MANY MANY MANY MANY MANY MANY MANY MANY

struct row {
    const char *name, *source;
    const char *trace, *head;
    const char *log; /* a part of the only record; NULL: no record */
};

static const struct row iterables[] = {
    {"a list", APP START " return [b'a', b'b']", "known[a][b] end", HEAD, NULL},
    {"a tuple", APP START " return b'a', b'b'", "known[a][b] end", HEAD, NULL},
    {"a list of one", APP START " return [b'a']", "known[a] end", HEAD, NULL},
    {"an empty list", APP START " return []", "known end", HEAD, NULL},
    {"an empty tuple", APP START " return ()", "known end", HEAD, NULL},
    {"a list of empties", APP START " return [b'', b'', b'']", "known end", HEAD, NULL},
    {"empties among others", APP START " return [b'', b'a', b'', b'b']", "known[a][b] end", HEAD, NULL},
    {"a list of 64", APP START " return " ITEMS "64", "known" MANY64 " end", HEAD, NULL},
    {"a list of 65 goes step by step", APP START " return [b''] * 63 + [b'a', b'b']", "[a] [b] end", HEAD,
     NULL},
    {"a tuple of 1000 empties", APP START " return (b'',) * 1000", "known end", HEAD, NULL},
    {"a subclass of list with a close()",
     "class L(list):\n def close(self): note('close')\n" APP START " return L([b'a', b'b'])",
     "[a] [b] end close", HEAD, NULL},
    {"a subclass of list of one",
     "class L(list):\n def close(self): note('close')\n" APP START " return L([b'a'])", "known[a] end close",
     HEAD, NULL},
    {"a subclass of bytes in a list", "class B(bytes): pass\n" APP START " return [B(b'a')]", "known[a] end",
     HEAD, NULL},
    {"a generator", APP START " yield b'a'\n yield b'b'", "[a] [b] end", HEAD, NULL},
    {"a generator's empties", APP START " yield b''\n yield b'a'\n yield b''", "[a] end", HEAD, NULL},
    {"a generator of nothing", APP START " return\n yield", "known end", HEAD, NULL},
    {"a generator expression", APP START " return (c for c in (b'a', b'b'))", "[a] [b] end", HEAD, NULL},
    {"an iterator", APP START " return Body(b'a', b'b')", "[a] [b] end close", HEAD, NULL},
    {"an iterator of nothing", APP START " return Body()", "known end close", HEAD, NULL},
    {"an iterable that makes iterators",
     "class I:\n def __iter__(self): return iter([b'a'])\n def close(self): note('close')\n" APP START
     " return I()",
     "[a] end close", HEAD, NULL},
    {"an iterator of one", "class I(Body):\n def __len__(self): return 1\n" APP START " return I(b'a')",
     "known[a] end close", HEAD, NULL},
    {"an iterator whose length is what is left of it",
     "class I(Body):\n n = 2\n def __len__(self): return self.n\n def __next__(self):\n  self.n -= 1\n  "
     "return "
     "super().__next__()\n" APP START " return I(b'a', b'b')",
     "[a] [b] end close", HEAD, NULL},
    {"a length of one that is wrong",
     "class I(Body):\n def __len__(self): return 1\n" APP START " return I(b'a', b'', b'b', b'c')",
     "[a] [b] [c] end close", HEAD, NULL},
    {"empties behind one",
     "class I(Body):\n def __len__(self): return 1\n" APP START " return I(b'a', b'', b'')",
     "known[a] end close", HEAD, NULL},
    {"one, and an exception",
     "class I:\n def __len__(self): return 1\n def __iter__(self):\n  yield b'a'\n  "
     "raise KeyError('late')\n" APP START " return I()",
     "failed", HEAD, "KeyError: 'late'"},
    {"one, and what is no bytes",
     "class I:\n def __len__(self): return 1\n def __iter__(self):\n  yield b'a'\n  yield 'b'\n" APP START
     " return I()",
     "failed", HEAD, "must produce bytes, not str"},
    {"one, and a write()",
     "class I:\n def __len__(self): return 1\n def __iter__(self):\n  yield b'a'\n  self.w(b'b')\n" APP
     " i = I()\n i.w = start_response(*OK)\n return i",
     "failed", "HTTP/1.1 200 OK\r\n", "write() was called by the application's iterable"},
    {"one, whose length the application has said: nothing is held back",
     "class I:\n def __len__(self): return 1\n def __iter__(self):\n  yield b'a'\n  note('next')\n" APP
     " start_response('200 OK', [('Content-Length', '1')])\n return I()",
     "[a] next end", "HTTP/1.1 200 OK\r\nContent-Length: 1\r\n", NULL},
    {"a sequence of one",
     "class I:\n def __len__(self): return 1\n def __getitem__(self, i): return [b'a'][i]\n" APP START
     " return I()",
     "known[a] end", HEAD, NULL},
    {"a sequence of two",
     "class I:\n def __len__(self): return 2\n def __getitem__(self, i): return [b'a', b'b'][i]\n" APP START
     " return I()",
     "[a] [b] end", HEAD, NULL},
    {"a sequence that does not know its length",
     "class I:\n def __getitem__(self, i): return [b'a', b'b'][i]\n" APP START " return I()", "[a] [b] end",
     HEAD, NULL},
    {"a length that raises",
     "class I(list):\n def __len__(self): raise KeyError\n" APP START " return I([b'a'])", "[a] end", HEAD,
     NULL},
    {"BytesIO", APP START " return io.BytesIO(b'a\\nb')", "[a\n] [b] end", HEAD, NULL},
    {"a set", APP START " return {b'a'}", "known[a] end", HEAD, NULL},
    {"a dict", APP START " return {b'a': 1}", "known[a] end", HEAD, NULL},
    {"a set of two", APP START " return {b'a': 1, b'b': 1}.keys()", "[a] [b] end", HEAD, NULL},
    {"a class that is called",
     "class app:\n def __init__(self, e, s): self.s = s\n def __iter__(self):\n  self.s(*OK)\n  yield b'a'\n",
     "[a] end", "HTTP/1.1 200 OK\r\n", NULL},
    {"a big chunk", APP START " return [b'x' * 1000000]", "known[xx...] end", HEAD, NULL},
    {"a file", APP START " return environ['wsgi.file_wrapper'](open('ten', 'rb'))", "knownfile[0123456789]",
     HEAD, NULL},
    {"a file from its position",
     APP START " f = open('ten', 'rb')\n f.seek(7)\n return environ['wsgi.file_wrapper'](f)",
     "knownfile[789]", HEAD, NULL},
    {"a file up to the Content-Length",
     APP " start_response('200 OK', [('Content-Length', '4')])\n"
         " return environ['wsgi.file_wrapper'](open('ten', 'rb'))",
     "knownfile[0123]", "HTTP/1.1 200 OK\r\nContent-Length: 4\r\n", NULL},
    {"a file behind write() goes block by block",
     APP " start_response(*OK)(b'a')\n return environ['wsgi.file_wrapper'](open('ten', 'rb'), 6)",
     "write[a] [012345] [6789] end", "HTTP/1.1 200 OK\r\n", NULL},
    {"what is no file in a file_wrapper",
     APP START " return environ['wsgi.file_wrapper'](io.BytesIO(b'abc'), 2)", "[ab] [c] end", HEAD, NULL},
    {"a file_wrapper closes its file once",
     "class F(io.BytesIO):\n def close(self): note('close')\n def __del__(self): pass\n" APP START
     " return environ['wsgi.file_wrapper'](F(b'a'))",
     "[a] end close", HEAD, NULL},
};

static const struct row refused[] = {
    {"None", APP START " pass", "failed", HEAD, "iterable of bytes, not NoneType"},
    {"bytes", APP START " return b'a'", "failed", HEAD, "returned bytes: return a list of them"},
    {"str", APP START " return 'a'", "failed", HEAD, "iterable of bytes, not str"},
    {"a number", APP START " return 1", "failed", HEAD, "'int' object is not iterable"},
    {"a bytearray", APP START " return bytearray(b'a')", "failed", HEAD, "must produce bytes, not int"},
    {"a list of str", APP START " return ['a']", "failed", HEAD, "must produce bytes, not str"},
    {"a str among bytes goes nowhere", APP START " return [b'a', 'b']", "failed", HEAD,
     "must produce bytes, not str"},
    {"None in a list", APP START " return [None]", "failed", HEAD, "must produce bytes, not NoneType"},
    {"a str that a generator yields", APP START " yield b'a'\n yield 'b'", "[a] failed", HEAD,
     "must produce bytes, not str"},
    {"an async generator", "async def app(environ, start_response):\n start_response(*OK)\n yield b'a'",
     "failed", "", "'async_generator' object is not iterable"},
    {"no start_response", APP " return [b'a']", "failed", "", "before it called start_response()"},
    {"no start_response and no body", APP " return []", "failed", "", "never called start_response()"},
    {"no start_response in a generator", APP " yield b'a'", "failed", "",
     "before it called start_response()"},
    {"no start_response and an empty generator", APP " return\n yield", "failed", "",
     "never called start_response()"},
    {"no start_response still closes", APP " return Body(b'a')", "failed close", "",
     "before it called start_response()"},
    {"no start_response and a file", APP " return environ['wsgi.file_wrapper'](open('ten', 'rb'))", "failed",
     "", "never called start_response()"},
    {"a start_response that was refused",
     APP " try: start_response('200', [])\n except ValueError: pass\n return [b'a']", "failed", "",
     "before it called start_response()"},
    {"an application without arguments", "def app(): pass", "failed", "", "takes 0 positional arguments"},
    {"a class without a call", "app = 1", "failed", "", "'int' object is not callable"},
};

static const struct row starts[] = {
    {"late in a generator", APP " yield b''\n start_response(*OK)\n yield b'a'", "[a] end",
     "HTTP/1.1 200 OK\r\n", NULL},
    {"late at the end of a generator", APP " yield b''\n start_response(*OK)", "known end",
     "HTTP/1.1 200 OK\r\n", NULL},
    {"in __next__",
     "class I(Body):\n def __next__(self):\n  if len(self.items) == 2: self.items.pop(0)(*OK)\n  return "
     "Body.__next__(self)\n" APP " return I(start_response, b'a')",
     "[a] end close", "HTTP/1.1 200 OK\r\n", NULL},
    {"twice", APP START START " return [b'a']", "failed", HEAD, "a second time without exc_info"},
    {"exc_info before the head", APP START " start_response('500 No', [], caught())\n return [b'a']",
     "known[a] end", "HTTP/1.1 500 No\r\n", NULL},
    {"exc_info in a generator before the head",
     APP START " yield b''\n start_response('500 No', [], caught())\n yield b'a'", "[a] end",
     "HTTP/1.1 500 No\r\n", NULL},
    {"exc_info after the head", APP START " yield b'a'\n start_response('500 No', [], caught())\n yield b'b'",
     "[a] failed", HEAD, "KeyError: 'x'"},
    {"exc_info after the head, caught",
     APP START " yield b'a'\n try: start_response('500 No', [], caught())\n except KeyError: "
               "note('raised')\n yield b'b'",
     "[a] raised [b] end", HEAD, NULL},
    {"exc_info after write()", APP " start_response(*OK)(b'a')\n start_response('500 No', [], caught())",
     "write[a] failed", "HTTP/1.1 200 OK\r\n", "KeyError: 'x'"},
    {"write() before the iterable", APP " w = start_response(*OK)\n w(b'a')\n w(b'b')\n return [b'c', b'd']",
     "write[a] write[b] [c][d] end", "HTTP/1.1 200 OK\r\n", NULL},
    {"write() and an empty list", APP " start_response(*OK)(b'a')\n return []", "write[a] end",
     "HTTP/1.1 200 OK\r\n", NULL},
    {"write() of nothing", APP " start_response(*OK)(b'')\n return [b'a']", "known[a] end",
     "HTTP/1.1 200 OK\r\n", NULL},
    {"write() in a generator", APP " w = start_response(*OK)\n w(b'a')\n yield b'b'\n w(b'c')\n yield b'd'",
     "write[a] [b] write[c] [d] end", "HTTP/1.1 200 OK\r\n", NULL},
    {"write() in a sequence of one",
     "class L(list): pass\n" APP " start_response(*OK)(b'a')\n return L([b'b'])", "write[a] [b] end",
     "HTTP/1.1 200 OK\r\n", NULL},
    {"write() of str", APP " start_response(*OK)('a')", "failed", "HTTP/1.1 200 OK\r\n",
     "write() takes bytes, not str"},
    {"write() and then None", APP " start_response(*OK)(b'a')", "write[a] failed", "HTTP/1.1 200 OK\r\n",
     "iterable of bytes, not NoneType"},
    {"write() in __len__ of a sequence of one",
     "class L(list):\n def __len__(self): self.w(b'a'); return 1\n" APP
     " l = L([b'b'])\n l.w = start_response(*OK)\n return l",
     "write[a] [b] end", "HTTP/1.1 200 OK\r\n", NULL},
    {"a start_response in __len__ that is refused",
     "class L(list):\n def __len__(self):\n  try: self.s('500', [], caught())\n  except ValueError: return "
     "1\n" APP " start_response(*OK)\n l = L([b'b'])\n l.s = start_response\n return l",
     "failed", "HTTP/1.1 200 OK\r\n", "before it called start_response()"},
    {"write() in fileno of a file",
     APP " w = start_response(*OK)\n f = open('ten', 'rb')\n fileno = f.fileno\n"
         " f.fileno = lambda: w(b'a') or fileno()\n return environ['wsgi.file_wrapper'](f, 6)",
     "write[a] [012345] [6789] end", "HTTP/1.1 200 OK\r\n", NULL},
    {"a header that empties its list when it is shown",
     "class S(str):\n def __repr__(self): self.headers.clear(); return 'shown'\n" APP
     " s = S('\\u20ac')\n s.headers = [(s, 'x')]\n start_response('200 OK', s.headers)",
     "failed", "HTTP/1.1 200 OK\r\n", "characters outside latin-1: shown"},
};

/* Runs after the response, but within the call. `kept` has the application's references to it. */
#define LATE                \
    "class Late(Body):\n"   \
    " def late(self):\n"    \
    "  try: self.w(b'z')\n" \
    "  except RuntimeError as e: note(str(e))\n"
#define LATE_APP APP " w = start_response(*OK)\n b = Late(b'a')\n b.w = w\n b.s = start_response\n"
#define IS_LATE  "write() was called after the end of its answer"

static const struct row lates[] = {
    {"write() in close()", LATE " def close(self): self.w(b'z')\n" LATE_APP " return b", "[a] end",
     "HTTP/1.1 200 OK\r\n", "RuntimeError: " IS_LATE},
    {"write() in a finaliser", LATE " def __del__(self): self.late()\n" LATE_APP " return b",
     "[a] end close " IS_LATE, "HTTP/1.1 200 OK\r\n", NULL},
    {"write() in a finaliser of an empty answer",
     LATE " def __del__(self): self.late()\n" LATE_APP " b.items = []\n return b", "known end close " IS_LATE,
     "HTTP/1.1 200 OK\r\n", NULL},
    {"write() in the finaliser of a part",
     LATE "class Part(bytes):\n def __del__(self): self.late.late()\n" LATE_APP
          " p = Part(b'p')\n p.late = b\n return [p]",
     "known[p] end " IS_LATE, "HTTP/1.1 200 OK\r\n", NULL},
    {"write() while an exception is shown",
     LATE "class E(Exception):\n def __str__(self): self.late.late(); return 'shown'\n" LATE_APP
          " e = E()\n e.late = b\n raise e",
     IS_LATE " failed", "HTTP/1.1 200 OK\r\n", "E: shown"},
    {"write() in a finaliser of environ, after an exception",
     LATE " def __del__(self): self.late()\n" LATE_APP " environ['late'] = b\n del b\n raise KeyError('x')",
     IS_LATE " failed", "HTTP/1.1 200 OK\r\n", "KeyError: 'x'"},
    {"write() in close of a file",
     LATE LATE_APP " f = open('ten', 'rb')\n f.close = b.late\n return environ['wsgi.file_wrapper'](f)",
     "knownfile[0123456789] " IS_LATE " " IS_LATE, /* the file's own finaliser runs it again */
     "HTTP/1.1 200 OK\r\n", NULL},
    {"start_response in close()", LATE " def close(self): self.s('500 No', [])\n" LATE_APP " return b",
     "[a] end", "HTTP/1.1 200 OK\r\n", "start_response() was called after the end of its answer"},
    {"start_response with exc_info in close()",
     LATE " def close(self): self.s('500 No', [], caught())\n" LATE_APP " return b", "[a] end",
     "HTTP/1.1 200 OK\r\n", "KeyError: 'x'"},
    {"start_response with exc_info in close() of an empty answer",
     LATE " def close(self): self.s('500 No', [], caught())\n" LATE_APP " b.items = []\n return b",
     "known end", "HTTP/1.1 200 OK\r\n", "KeyError: 'x'"},
    {"the first start_response in close()",
     "class I(Body):\n def close(self):\n  try: self.s(*OK)\n  except RuntimeError: note('close')\n" APP
     " b = I(b'a')\n b.s = start_response\n return b",
     "failed close", "", "before it called start_response()"},
};

#define BODY(items) APP " start_response(*OK)\n return Body(" items ")"
#define OK_HEAD     "HTTP/1.1 200 OK\r\n"

static const struct row failures[] = {
    {"an exception", APP " raise KeyError('x')", "failed", "",
     "exception in the application at GET /the/path\nTraceback (most recent call last):\n"},
    {"an exception after start_response", APP START " raise KeyError('x')", "failed", HEAD,
     "KeyError: 'x'\n"},
    {"in the first step", BODY("KeyError('x')"), "failed close", OK_HEAD, "KeyError: 'x'\n"},
    {"in a later step", BODY("b'a', b'b', KeyError('x')"), "[a] [b] failed close", OK_HEAD,
     "KeyError: 'x'\n"},
    {"in __iter__", "class I(Body):\n def __iter__(self): raise KeyError('x')\n" APP START " return I()",
     "failed close", HEAD, "KeyError: 'x'\n"},
    {"__iter__ that returns no iterator",
     "class I(Body):\n def __iter__(self): return 1\n" APP START " return I()", "failed close", HEAD,
     "iter() returned non-iterator"},
    {"in close()",
     "class I(Body):\n def close(self): note('close'); raise KeyError('x')\n" APP START " return I(b'a')",
     "[a] end close", HEAD, "exception in close() of the application's iterable at GET /the/path\nTraceback"},
    {"SystemExit in close()",
     "class I(Body):\n def close(self): note('close'); sys.exit(3)\n" APP START " return I(b'a')",
     "[a] end close", HEAD, "SystemExit: 3\n"},
    {"a close that is no function", "class I(Body):\n close = 1\n" APP START " return I(b'a')", "[a] end",
     HEAD, "'int' object is not callable"},
    {"a close that takes an argument",
     "class I(Body):\n def close(self, x): note('close')\n" APP START " return I(b'a')", "[a] end", HEAD,
     "missing 1 required positional argument"},
    {"a close that cannot be looked up",
     "class I(Body):\n @property\n def close(self): raise KeyError('x')\n" APP START " return I(b'a')",
     "[a] end", HEAD, "KeyError: 'x'\n"},
    {"a close set on the object", APP START " b = Body(b'a')\n b.close = lambda: note('mine')\n return b",
     "[a] end mine", HEAD, NULL},
    {"a generator's finally",
     APP START " try:\n  yield b'a'\n  raise KeyError('x')\n finally: note('finally')", "[a] finally failed",
     HEAD, "KeyError: 'x'\n"},
    {"SystemExit", APP " sys.exit(7)", "failed", "", "SystemExit: 7\n"},
    {"SystemExit in a step", BODY("b'a', SystemExit(7)"), "[a] failed close", OK_HEAD, "SystemExit: 7\n"},
    {"KeyboardInterrupt", APP START " raise KeyboardInterrupt", "failed", HEAD, "KeyboardInterrupt\n"},
    {"GeneratorExit", APP START " raise GeneratorExit", "failed", HEAD, "GeneratorExit\n"},
    {"GeneratorExit in a step", BODY("GeneratorExit()"), "failed close", OK_HEAD, "GeneratorExit\n"},
    {"StopIteration out of the application", APP START " raise StopIteration", "failed", HEAD,
     "StopIteration\n"},
    {"StopIteration in a generator", APP START " yield b'a'\n raise StopIteration", "[a] failed", HEAD,
     "RuntimeError: generator raised StopIteration"},
    {"BrokenPipeError of the application's own", APP START " raise BrokenPipeError('other')", "failed", HEAD,
     "BrokenPipeError: other\n"},
    {"endless recursion", "def f(): f()\n" APP START " f()", "failed", HEAD, "RecursionError: "},
    {"endless recursion in a step", "def f(): return f()\n" APP START " yield b'a'\n f()", "[a] failed", HEAD,
     "RecursionError: "},
    {"an exception that cannot be shown",
     "class E(Exception):\n def __str__(self): raise self\n" APP START " raise E", "failed", HEAD, "E: "},
    {"any BaseException", "class E(BaseException): pass\n" APP " raise E('x')", "failed", "", "E: x\n"},
    {"not enough memory", APP " raise MemoryError", "failed", "", "MemoryError"},
    {"what was written to wsgi.errors comes out",
     APP START " environ['wsgi.errors'].write('half a line')\n return []", "known end", HEAD, "half a line"},
};

/* Compares Python's memory blocks, and references to permanent objects; the first runs fill
 * caches. */
static void assert_nothing_stays(const char *name)
{
    struct fake_call fake;
    long blocks = 0, nones = 0, callables = 0;
    for (int i = 0; i < 2 * RUNS; i++) {
        if (i == RUNS) {
            blocks = fake_blocks();
            nones = Py_REFCNT(Py_None);
            callables = Py_REFCNT(application.callable);
        }
        run(&fake, false);
        fake_close(&fake);
    }
    blocks = fake_blocks() - blocks;
    nones = Py_REFCNT(Py_None) - nones;
    ck_assert_msg(blocks < STAYS_AT_MOST, "%s: %ld blocks more", name, blocks);
    ck_assert_msg(nones < STAYS_AT_MOST, "%s: %ld more of None", name, nones);
    ck_assert_msg(Py_REFCNT(application.callable) == callables, "%s: the application is held", name);
}

/* Checks one run; then runs the call often, without a leak. */
static void check_row(const struct row *row)
{
    struct fake_call fake;
    make_caller(row->source);
    run(&fake, false);
    char *log = embedded_log();
    ck_assert_msg(strcmp(trace, row->trace) == 0, "%s: \"%s\", expected \"%s\": %s", row->name, trace,
                  row->trace, log);
    unit_assert_bytes(row->name, fake.response.head, fake.response.size, row->head, strlen(row->head));
    fake_close(&fake);
    if (row->log == NULL)
        ck_assert_msg(log[0] == '\0', "%s: logged %s", row->name, log);
    else
        ck_assert_msg(strstr(log, row->log) != NULL && embedded_count(log, " error: ") == 1, "%s: logged %s",
                      row->name, log);
    free(log);

    assert_nothing_stays(row->name);
    ck_assert_msg(strcmp(trace, row->trace) == 0, "%s, the last time: %s", row->name, trace);
}

START_TEST(iterables_yield_what_the_table_says)
{
    check_row(&iterables[_i]);
}
END_TEST

START_TEST(what_is_no_answer_is_refused)
{
    check_row(&refused[_i]);
}
END_TEST

START_TEST(start_response_and_write_mix_as_the_table_says)
{
    check_row(&starts[_i]);
}
END_TEST

START_TEST(a_call_produces_nothing_after_its_answer)
{
    check_row(&lates[_i]);
}
END_TEST

START_TEST(failures_are_logged_once_and_close_runs_once)
{
    check_row(&failures[_i]);
}
END_TEST

static const struct {
    const char *name, *source, *trace;
    const char *log;
} gone[] = {
    {"write() fails quietly", APP " start_response(*OK)(b'a')\n note('not here')", "failed", NULL},
    {"in a generator",
     APP " w = start_response(*OK)\n try:\n  w(b'a')\n  yield b'b'\n finally: note('finally')",
     "finally failed", NULL},
    {"close() runs",
     APP " b = Body()\n b.items = map(start_response(*OK), (b'a',))\n b.__class__ = type('M', (Body,), "
         "{'__next__': lambda self: next(self.items)})\n return b",
     "failed close", NULL},
    {"an application that goes on",
     APP " w = start_response(*OK)\n try: w(b'a')\n except OSError: note('caught')\n return [b'b']",
     "caught [b] end", NULL},
    {"another exception in its place",
     APP " try: start_response(*OK)(b'a')\n except OSError: raise KeyError('x')", "failed", "KeyError: 'x'"},
    {"write() of nothing", APP " start_response(*OK)(b'')\n return []", "known end", NULL},
};

START_TEST(a_client_that_is_gone_ends_the_call)
{
    struct fake_call fake;
    make_caller(gone[_i].source);
    run(&fake, true);
    fake_close(&fake);
    char *log = embedded_log();
    ck_assert_msg(strcmp(trace, gone[_i].trace) == 0, "%s: %s: %s", gone[_i].name, trace, log);
    ck_assert_msg(gone[_i].log == NULL ? log[0] == '\0' : strstr(log, gone[_i].log) != NULL, "%s: %s",
                  gone[_i].name, log);
    free(log);
}
END_TEST

/* The handler may stop early: the client left, or a HEAD request needs no more. */
START_TEST(finish_closes_a_call_that_was_not_run_to_its_end)
{
    struct call_output output;
    struct fake_call fake;
    make_caller(_i == 0 ? BODY("b'a', b'b'") "\n"
                        : APP START " try:\n  yield b'a'\n  yield b'b'\n finally: note('close')");
    trace[0] = '\0';
    fake_open(&fake, "HEAD / HTTP/1.1", fake_section("Host: a\r\n"), NULL);
    ck_assert_int_eq(call_start(caller, &fake.call, &output), CALL_CHUNKS);
    call_finish(caller);
    ck_assert_str_eq(trace, "close ");
    fake_close(&fake);
    ck_assert_ptr_null(PyErr_Occurred());
}
END_TEST

START_TEST(what_the_application_keeps_is_harmless)
{
    struct fake_call fake;
    make_caller("kept = []\n" APP
                " kept[:] = environ, environ['wsgi.input'], start_response, start_response(*OK)\n"
                " return [b'a']\n");
    for (int i = 0; i < 3; i++) {
        run(&fake, false);
        fake_close(&fake);
        ck_assert_str_eq(trace, "known[a] end");
        fake_execute("assert kept[0]['PATH_INFO'] == '/the/path' and kept[1].read() == b''\n"
                     "for f, args in ((kept[2], OK), (kept[3], (b'x',))):\n"
                     "    try: f(*args)\n"
                     "    except RuntimeError: pass\n"
                     "    else: assert 0\n",
                     globals);
    }
}
END_TEST

START_TEST(the_body_is_in_wsgi_input)
{
    struct call_output output;
    struct fake_call fake;
    make_caller(
        APP
        " start_response(*OK)\n return [environ['CONTENT_LENGTH'].encode(), environ['wsgi.input'].read()]\n");
    for (int i = 0; i < 3; i++) {
        trace[0] = '\0';
        fake_open(&fake, "POST / HTTP/1.1", fake_section("Host: a\r\nContent-Length: 4\r\n"), "body");
        ck_assert_int_eq(call_start(caller, &fake.call, &output), CALL_CHUNKS);
        note_chunks(&output);
        ck_assert_str_eq(trace, "known[4][body] ");
        call_finish(caller);
        ck_assert_ptr_null(fake.content.memory);
        fake_close(&fake);
    }
}
END_TEST

static void add(TCase *tests)
{
    tcase_add_checked_fixture(tests, start, stop);
    unit_add_rows(tests, iterables_yield_what_the_table_says, iterables);
    unit_add_rows(tests, what_is_no_answer_is_refused, refused);
    unit_add_rows(tests, start_response_and_write_mix_as_the_table_says, starts);
    unit_add_rows(tests, a_call_produces_nothing_after_its_answer, lates);
    unit_add_rows(tests, failures_are_logged_once_and_close_runs_once, failures);
    unit_add_rows(tests, a_client_that_is_gone_ends_the_call, gone);
    tcase_add_loop_test(tests, finish_closes_a_call_that_was_not_run_to_its_end, 0, 2);
    tcase_add_test(tests, what_the_application_keeps_is_harmless);
    tcase_add_test(tests, the_body_is_in_wsgi_input);
}

int main(void)
{
    return unit_run("py/call", add);
}
