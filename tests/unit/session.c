/*
 * A server without sockets, see session.h.
 */
#include <unistd.h>

#include "session.h"

const struct parser_limits session_parser_limits = {
    .request_line = 8190, .fields = 100, .field_size = 8190, .head = 64 * 1024};
const struct body_limits session_body_limits = {
    .size = 1 << 30, .memory = 64 * 1024, .line = 8190, .trailer = 64 * 1024, .tmp_dir = "/tmp"};

struct run {
    struct session *session;
    struct memo *memo;
    struct slice input;
    size_t arrived, begin; /* begin: of what is not consumed yet */
    struct head_finder finder;
    unsigned empty_lines;
    struct request request;
    struct body body;
    bool in_body;
};

static struct slice unread(const struct run *run)
{
    return (struct slice){run->input.data + run->begin, run->arrived - run->begin};
}

static bool answer(struct run *run, struct session_answer answer)
{
    struct session *session = run->session;
    session->answers[session->count++] = answer;
    session->closed = !answer.keep_alive;
    header_section_unref(run->request.section);
    run->request.section = NULL;
    run->finder = (struct head_finder){0};
    run->in_body = false;
    return !session->closed && session->count < SESSION_ANSWERS;
}

static bool refuse(struct run *run, int status)
{
    return answer(run, (struct session_answer){.status = status, .body.spool = -1});
}

static int section_get(struct run *run, struct slice bytes)
{
    unsigned slot;
    struct header_section *known = run->memo != NULL ? memo_find(run->memo, bytes, &slot) : NULL;
    if (known != NULL) {
        run->request.section = header_section_ref(known);
        return 0;
    }
    int status = header_section_parse(bytes, &session_parser_limits, &run->request.section);
    if (status == 0 && run->memo != NULL)
        memo_offer(run->memo, run->request.section, &slot);
    return status;
}

static int head_parse(struct run *run, struct slice head)
{
    size_t line = run->finder.line_size;
    int status = request_line_parse(&run->request, (struct slice){head.data, line});
    if (status == 0)
        status = section_get(run, (struct slice){head.data + line + 2, head.size - line - 2});
    if (status == 0)
        status = request_check(&run->request);
    if (status == 0)
        status = body_init(&run->body, run->request.section, &session_body_limits);
    return status;
}

/* As consume_head of net/h1.c: a bad request line is the better reason. */
static int head_refusal(struct run *run, struct slice bytes, int status)
{
    size_t line = run->finder.line_size;
    int line_status = line > 0 ? request_line_parse(&run->request, (struct slice){bytes.data, line}) : 0;
    return line_status != 0 ? line_status : status;
}

/* True when it got further. */
static bool head_advance(struct run *run)
{
    size_t size;
    struct slice bytes = unread(run);
    int status = head_skip_empty_lines(&bytes, &run->empty_lines);
    run->begin = run->arrived - bytes.size;
    if (status != 0)
        return refuse(run, status);
    status = head_find_end(&run->finder, bytes, &session_parser_limits, &size);
    int line_status = status != 0 || size == 0 ? head_check_lines(&run->finder, bytes) : 0;
    if (line_status != 0)
        status = line_status;
    if (status != 0)
        return refuse(run, head_refusal(run, bytes, status));
    if (size == 0)
        return false;
    status = head_parse(run, (struct slice){bytes.data, size});
    if (status != 0)
        return refuse(run, status);
    run->begin += size;
    run->empty_lines = 0;
    run->in_body = true;
    return true;
}

static bool body_advance(struct run *run)
{
    struct slice rest = unread(run);
    int status = body_feed(&run->body, &rest);
    run->begin = run->arrived - rest.size;
    if (status == 0 && !run->body.complete)
        return false;

    struct request *request = &run->request;
    struct body_content content = body_take(&run->body);
    if (status != 0) {
        body_content_free(&content);
        return refuse(run, status);
    }
    return answer(run, (struct session_answer){
                           .status = 200,
                           .keep_alive = request_keep_alive(request),
                           .end = run->begin,
                           .method = request->method,
                           .target = request->target,
                           .minor = request->minor,
                           .framing = request->section->framing,
                           .body = content,
                       });
}

void session_run(struct session *session, struct slice input, size_t step, struct memo *memo)
{
    struct run run = {.session = session, .memo = memo, .input = input};
    bool more = true;
    *session = (struct session){0};
    while (more && run.arrived < input.size) {
        size_t left = input.size - run.arrived;
        run.arrived += step == 0 || step > left ? left : step;
        bool moved;
        do {
            moved = run.in_body ? body_advance(&run) : head_advance(&run);
            more = !session->closed && session->count < SESSION_ANSWERS;
        } while (moved && more);
    }
    session->incomplete = more && (run.in_body || run.begin < input.size);
    if (run.in_body)
        body_fini(&run.body);
    header_section_unref(run.request.section);
}

void session_free(struct session *session)
{
    for (size_t i = 0; i < session->count; i++)
        body_content_free(&session->answers[i].body);
}

static bool body_eq(const struct body_content *a, const struct body_content *b)
{
    char left[4096], right[4096];
    if (a->size != b->size || (a->spool < 0) != (b->spool < 0))
        return false;
    if (a->spool < 0)
        return a->size == 0 || memcmp(a->memory, b->memory, a->size) == 0;
    for (off_t at = 0; (uint64_t)at < a->size; at += sizeof(left)) {
        ssize_t size = pread(a->spool, left, sizeof(left), at);
        if (size <= 0 || pread(b->spool, right, sizeof(right), at) != size ||
            memcmp(left, right, (size_t)size) != 0)
            return false;
    }
    return true;
}

static bool answer_eq(const struct session_answer *a, const struct session_answer *b)
{
    return a->status == b->status && a->keep_alive == b->keep_alive && a->end == b->end &&
           slice_eq(a->method, b->method) && slice_eq(a->target, b->target) && a->minor == b->minor &&
           a->framing == b->framing && body_eq(&a->body, &b->body);
}

bool session_eq(const struct session *a, const struct session *b)
{
    if (a->count != b->count || a->closed != b->closed || a->incomplete != b->incomplete)
        return false;
    for (size_t i = 0; i < a->count; i++) {
        if (!answer_eq(&a->answers[i], &b->answers[i]))
            return false;
    }
    return true;
}
