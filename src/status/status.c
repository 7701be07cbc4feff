/* The responses of the status process. */
#include "status/status.h"

#include <arpa/inet.h>
#include <inttypes.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "base/mem.h"
#include "http/token.h"
#include "status/metrics.h"
#include "status/status_json.h"
#include "status/status_page_source.h"

struct status {
    struct status_facts facts;
    const char *hosts;
};

struct status *status_new(struct scoreboard *board, const char *version, const char *python,
                          const char *application, const char *hosts)
{
    struct status *status = xcalloc(1, sizeof(*status));
    status->facts = (struct status_facts){version, python, application, board, history_new()};
    status->hosts = hosts != NULL ? hosts : "";
    status_sample(status);
    return status;
}

void status_free(struct status *status)
{
    history_free(status->facts.history);
    free(status);
}

void status_sample(struct status *status)
{
    struct totals totals;
    totals_take(&totals, status->facts.board);
    history_add(status->facts.history, &totals);
}

/* Hexadecimal digits that cannot be guessed. */
enum { NONCE_SIZE = 33 };

static void make_nonce(char nonce[NONCE_SIZE])
{
    uint64_t random[2] = {0, 0};
    ssize_t n = getrandom(random, sizeof(random), GRND_NONBLOCK);
    (void)n; /* fails for so few bytes only just after the start of the kernel */
    snprintf(nonce, NONCE_SIZE, "%016" PRIx64 "%016" PRIx64, random[0], random[1]);
}

/* Inside a script element only "<" has a meaning in HTML, and in JSON it occurs in strings only. */
static void add_json(struct text *out, struct slice json)
{
    const char *end = json.data + json.size;
    for (const char *at = json.data; at < end;) {
        const char *less = memchr(at, '<', (size_t)(end - at));
        text_add(out, at, (size_t)((less != NULL ? less : end) - at));
        if (less == NULL)
            return;
        text_printf(out, "\\u003c");
        at = less + 1;
    }
}

void status_page_render(struct slice json, struct text *out, char policy[STATUS_PAGE_POLICY_SIZE])
{
    static const char nonce_mark[] = "@nonce@", json_mark[] = "@json@";
    char nonce[NONCE_SIZE];
    const char *at = status_page_source, *mark;
    make_nonce(nonce);
    while ((mark = strchr(at, '@')) != NULL) {
        text_add(out, at, (size_t)(mark - at));
        at = mark;
        if (strncmp(at, nonce_mark, sizeof(nonce_mark) - 1) == 0) {
            text_printf(out, "%s", nonce);
            at += sizeof(nonce_mark) - 1;
        } else if (strncmp(at, json_mark, sizeof(json_mark) - 1) == 0) {
            add_json(out, json);
            at += sizeof(json_mark) - 1;
        } else {
            text_add(out, at++, 1);
        }
    }
    text_add(out, at, strlen(at));
    snprintf(
        policy, STATUS_PAGE_POLICY_SIZE,
        "default-src 'none'; script-src 'nonce-%s'; style-src 'nonce-%s'; img-src data:; connect-src 'self'; "
        "base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
        nonce, nonce);
}

/* The parts of one response. */
struct answer {
    struct slice status, type;
    char policy[STATUS_PAGE_POLICY_SIZE]; /* Content-Security-Policy; empty: none */
    bool wrong_method;
    struct text body;
};

static void answer_page(const struct status_facts *facts, const struct totals *totals, struct answer *answer)
{
    struct text json;
    answer->type = SLICE("text/html; charset=utf-8");
    text_init(&json);
    status_json_render(facts, totals, &json);
    status_page_render((struct slice){json.data, json.size}, &answer->body, answer->policy);
    text_fini(&json);
}

static void answer_json(const struct status_facts *facts, const struct totals *totals, struct answer *answer)
{
    answer->type = SLICE("application/json");
    status_json_render(facts, totals, &answer->body);
}

static void answer_metrics(const struct status_facts *facts, const struct totals *totals,
                           struct answer *answer)
{
    answer->type = SLICE(METRICS_TYPE);
    metrics_render(facts, totals, &answer->body);
}

static void answer_live(const struct status_facts *facts, const struct totals *totals, struct answer *answer)
{
    (void)facts;
    bool live = totals->workers[WORKER_NONE] < facts->board->count;
    if (!live)
        answer->status = SLICE("503 Service Unavailable");
    text_printf(&answer->body, live ? "alive\n" : "there is no worker\n");
}

static void answer_ready(const struct status_facts *facts, const struct totals *totals, struct answer *answer)
{
    (void)facts;
    if (totals->state != SERVICE_READY)
        answer->status = SLICE("503 Service Unavailable");
    text_printf(&answer->body, "%s\n", service_state_name(totals->state));
}

static const struct {
    struct slice path;
    void (*answer)(const struct status_facts *facts, const struct totals *totals, struct answer *answer);
} pages[] = {
    {SLICE("/"), answer_page},     {SLICE("/status.json"), answer_json}, {SLICE("/metrics"), answer_metrics},
    {SLICE("/live"), answer_live}, {SLICE("/ready"), answer_ready},
};

/* False when the path has no page. */
static bool find_answer(const struct status_facts *facts, struct slice path, struct answer *answer)
{
    struct totals totals;
    for (size_t i = 0; i < sizeof(pages) / sizeof(pages[0]); i++)
        if (slice_eq(path, pages[i].path)) {
            totals_take(&totals, facts->board);
            pages[i].answer(facts, &totals, answer);
            return true;
        }
    return false;
}

static void answer_not_found(struct answer *answer)
{
    answer->status = SLICE("404 Not Found");
    text_printf(&answer->body, "there are / /status.json /metrics /live /ready\n");
}

static void answer_wrong_method(struct answer *answer)
{
    answer->status = SLICE("405 Method Not Allowed");
    answer->wrong_method = true;
    text_printf(&answer->body, "only GET and HEAD\n");
}

static void answer_misdirected(struct answer *answer)
{
    answer->status = SLICE("421 Misdirected Request");
    text_printf(&answer->body,
                "only IP addresses, localhost and the names of --status-host are answered; add this one\n");
}

static bool is_ip_address(struct slice name)
{
    char text[INET6_ADDRSTRLEN];
    unsigned char address[sizeof(struct in6_addr)];
    bool bracketed = name.size > 2 && name.data[0] == '[';
    size_t size = bracketed ? name.size - 2 : name.size;
    if (size >= sizeof(text))
        return false;
    memcpy(text, name.data + bracketed, size);
    text[size] = '\0';
    return inet_pton(bracketed ? AF_INET6 : AF_INET, text, address) == 1;
}

static bool is_listed(const char *hosts, struct slice name)
{
    struct slice list = slice_of(hosts);
    while (list.data != NULL)
        if (slice_eq_nocase(slice_next(&list, ','), name))
            return true;
    return false;
}

/* A page in a browser can ask any address under a name of its own site (DNS rebinding). It would
 * read the requests that run here. A proxy's fields about the client's Host are ignored, because
 * such a page can set them. A request without Host (HTTP/1.0) does not come from a browser. */
static bool is_for_us(const struct status *status, const struct request *request)
{
    struct slice host = request->authority;
    if (host.data == NULL && request->section != NULL)
        host = request->section->host;
    struct slice name = host_name(host);
    if (host.size == 0 || is_ip_address(name))
        return true;
    if (name.size > 1 && name.data[name.size - 1] == '.')
        name.size--;
    return slice_eq_nocase(name, SLICE("localhost")) || is_listed(status->hosts, name);
}

static void add_fields(struct response *response, const struct answer *answer)
{
    response_add(response, SLICE("Content-Type"), answer->type);
    response_add(response, SLICE("Cache-Control"), SLICE("no-store"));
    response_add(response, SLICE("X-Content-Type-Options"), SLICE("nosniff"));
    if (answer->wrong_method)
        response_add(response, SLICE("Allow"), SLICE("GET, HEAD"));
    if (answer->policy[0] != '\0') {
        response_add(response, SLICE("Content-Security-Policy"), slice_of(answer->policy));
        response_add(response, SLICE("Referrer-Policy"), SLICE("no-referrer"));
    }
}

static void send_answer(struct exchange *exchange, const struct answer *answer)
{
    struct slice body = {answer->body.data, answer->body.size};
    response_start(&exchange->response, answer->status);
    add_fields(&exchange->response, answer);
    exchange_head(exchange, true, body.size);
    if (exchange_send(exchange, &body, 1) < 0)
        exchange_cut(exchange);
    else
        exchange_end(exchange);
}

static void run(void *context, struct exchange *exchange)
{
    const struct status *status = context;
    const struct request *request = &exchange->request;
    struct answer answer = {.status = SLICE("200 OK"), .type = SLICE("text/plain; charset=utf-8")};
    text_init(&answer.body);
    if (!is_for_us(status, request))
        answer_misdirected(&answer);
    else if (!request->is_head && !slice_eq(request->method, SLICE("GET")))
        answer_wrong_method(&answer);
    else if (!find_answer(&status->facts, request->path, &answer))
        answer_not_found(&answer);
    send_answer(exchange, &answer);
    text_fini(&answer.body);
}

const struct handler status_handler = {.name = "status", .run = run};
