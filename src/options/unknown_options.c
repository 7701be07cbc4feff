/*
 * Names that are no options: those of gunicorn, uWSGI and uvicorn, and variables GATEWAY_... .
 * doc/migrating-from-*.md treats more options, in more detail.
 */
#include "options/unknown_options.h"

#include <ctype.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "options/name_distance.h"

#define ADDRESS     "the address is --bind HOST:PORT, --bind unix:PATH or --bind fd://N"
#define SOCKET      "--bind speaks HTTP, and no other protocol: see doc/migrating-from-uwsgi.md"
#define APPLICATION "the application is MODULE:CALLABLE, without an option; in a file it is application"
#define WORKERS     "there are --workers and --threads, and neither gevent nor asyncio"
#define ALWAYS      "it is always so, or not needed; leave it out"
#define CHEAPER     "the number of --workers stays, unless gatewayctl worker changes it"
#define INOTIFY     "--reload watches what was imported, with inotify, and each --reload-extra-file"
#define LOGGING     "there is --log-format, and the logging of the application is its own"
#define SYSLOG      "there is --error-logfile; what is on standard error, a service manager takes to a journal"
#define METRICS     "there is --status, with /metrics for Prometheus"
#define DAEMON      "a service manager does that: see doc/deploying.md"
#define TLS         "TLS is a proxy's business: see doc/deploying.md"
#define STATIC      "files are a proxy's business, or a middleware's: see doc/deploying.md"
#define MIDDLEWARE  "a proxy does that, or a middleware"
#define HOOKS       "there are no hooks: see doc/migrating-from-gunicorn.md"

/* clang-format off */
const struct foreign_option foreign_options[] = {
    /* Other names of the same thing. */
    {"http", true, "bind", NULL},
    {"http-socket", true, "bind", NULL},
    {"http11-socket", true, "bind", NULL},
    {"uds", true, "bind", NULL},
    {"s", true, "bind", NULL},
    {"host", true, NULL, ADDRESS},
    {"port", true, NULL, ADDRESS},
    {"fd", true, NULL, ADDRESS},
    {"socket", true, NULL, SOCKET},
    {"uwsgi-socket", true, NULL, SOCKET},
    {"protocol", true, NULL, SOCKET},
    {"processes", true, "workers", NULL},
    {"config-file", true, "config", NULL},
    {"ini", true, "config", NULL},
    {"yaml", true, "config", NULL},
    {"json", true, "config", NULL},
    {"raw-env", true, "env", NULL},
    {"proc-name", true, "name", NULL},
    {"procname", true, "name", NULL},
    {"procname-prefix", true, "name", NULL},
    {"pidfile", true, "pid", NULL},
    {"pid-file", true, "pid", NULL},
    {"uid", true, "user", NULL},
    {"gid", true, "group", NULL},
    {"virtualenv", true, "venv", NULL},
    {"home", true, "venv", NULL},
    {"H", true, "venv", NULL},
    {"pp", true, "pythonpath", NULL},
    {"python-path", true, "pythonpath", NULL},
    {"app-dir", true, "pythonpath", NULL},
    {"listen", true, "backlog", NULL},
    {"module", true, NULL, APPLICATION},
    {"wsgi", true, NULL, APPLICATION},
    {"wsgi-file", true, NULL, APPLICATION},
    {"file", true, NULL, APPLICATION},
    {"callable", true, NULL, APPLICATION},
    {"wsgi-app", true, NULL, APPLICATION},
    {"factory", false, NULL, APPLICATION},

    /* The kind of worker. */
    {"k", true, NULL, WORKERS},
    {"worker-class", true, NULL, WORKERS},
    {"gevent", true, NULL, WORKERS},
    {"async", true, NULL, WORKERS},
    {"asyncio", false, NULL, WORKERS},
    {"loop", true, NULL, WORKERS},
    {"ws", true, NULL, WORKERS},
    {"lifespan", true, NULL, WORKERS},
    {"interface", true, NULL, WORKERS},
    {"master", false, NULL, ALWAYS},
    {"M", false, NULL, ALWAYS},
    {"enable-threads", false, NULL, ALWAYS},
    {"lazy-apps", false, NULL, ALWAYS},
    {"lazy", false, NULL, ALWAYS},
    {"need-app", false, NULL, ALWAYS},
    {"die-on-term", false, NULL, ALWAYS},
    {"single-interpreter", false, NULL, ALWAYS},
    {"strict", false, NULL, ALWAYS},
    {"vacuum", false, NULL, ALWAYS},
    {"thunder-lock", false, NULL, ALWAYS},
    {"reuse-port", false, NULL, ALWAYS},
    {"initgroups", false, NULL, ALWAYS},
    {"capture-output", false, NULL, ALWAYS},
    {"R", false, NULL, ALWAYS},
    {"enable-stdio-inheritance", false, NULL, ALWAYS},
    {"no-sendfile", false, NULL, ALWAYS},
    {"proxy-headers", false, NULL, ALWAYS},
    {"worker-tmp-dir", true, NULL, ALWAYS},
    {"preload-app", false, "preload", NULL},
    {"harakiri", true, "timeout", NULL},
    {"reload-mercy", true, "graceful-timeout", NULL},
    {"worker-reload-mercy", true, "graceful-timeout", NULL},
    {"timeout-graceful-shutdown", true, "graceful-timeout", NULL},
    {"http-keepalive", true, "keep-alive", NULL},
    {"timeout-keep-alive", true, "keep-alive", NULL},
    {"limit-concurrency", true, "worker-connections", NULL},
    {"limit-max-requests", true, "max-requests", NULL},
    {"max-requests-delta", true, "max-requests-jitter", NULL},
    {"limit-max-requests-jitter", true, "max-requests-jitter", NULL},
    {"max-worker-lifetime", true, "max-lifetime", NULL},
    {"reload-on-rss", true, "max-rss", NULL},
    {"evil-reload-on-rss", true, "max-rss", NULL},
    {"limit-post", true, "limit-request-body", NULL},
    {"buffer-size", true, "limit-request-head", NULL},
    {"h11-max-incomplete-event-size", true, "limit-request-head", NULL},
    {"post-buffering", true, "body-memory", NULL},
    {"cheaper", true, NULL, CHEAPER},
    {"cheaper-initial", true, NULL, CHEAPER},
    {"py-autoreload", true, "reload", NULL},
    {"python-autoreload", true, "reload", NULL},
    {"touch-reload", true, NULL, "gatewayctl reload does that, or HUP"},
    {"reload-engine", true, NULL, INOTIFY},
    {"reload-dir", true, NULL, INOTIFY},
    {"reload-include", true, NULL, INOTIFY},
    {"reload-exclude", true, NULL, INOTIFY},

    /* Logs and metrics. */
    {"log-file", true, "error-logfile", NULL},
    {"errorlog", true, "error-logfile", NULL},
    {"logto", true, "error-logfile", NULL},
    {"logto2", true, "error-logfile", NULL},
    {"accesslog", true, "access-logfile", NULL},
    {"access-log", false, "access-logfile", NULL},
    {"req-logger", true, "access-logfile", NULL},
    {"disable-logging", false, NULL, "there is no access log without --access-logfile"},
    {"no-access-log", false, NULL, "there is no access log without --access-logfile"},
    {"logger-class", true, NULL, LOGGING},
    {"log-config", true, NULL, LOGGING},
    {"logconfig", true, NULL, LOGGING},
    {"logconfig-dict", true, NULL, LOGGING},
    {"log-config-json", true, NULL, LOGGING},
    {"use-colors", false, NULL, LOGGING},
    {"log-syslog", false, NULL, SYSLOG},
    {"log-syslog-to", true, NULL, SYSLOG},
    {"log-syslog-prefix", true, NULL, SYSLOG},
    {"log-syslog-facility", true, NULL, SYSLOG},
    {"syslog", false, NULL, SYSLOG},
    {"disable-redirect-access-to-syslog", false, NULL, SYSLOG},
    {"statsd-host", true, NULL, METRICS},
    {"statsd-prefix", true, NULL, METRICS},
    {"dogstatsd-tags", true, NULL, METRICS},
    {"stats", true, "status", NULL},
    {"stats-server", true, "status", NULL},
    {"stats-http", false, "status", NULL},
    {"master-fifo", true, "control-socket", NULL},
    {"spew", false, NULL, "--slow-request and gatewayctl stacks show where calls are"},
    {"proxy-allow-from", true, "forwarded-allow-ips", NULL},
    {"proxy-allow-ips", true, "forwarded-allow-ips", NULL},
    {"secure-scheme-headers", true, NULL, "X-Forwarded-Proto says that it was https, see doc/migrating-from-gunicorn.md"},

    /* Tasks of other programs. */
    {"D", false, NULL, DAEMON},
    {"daemon", false, NULL, DAEMON},
    {"d", true, NULL, DAEMON},
    {"daemonize", true, NULL, DAEMON},
    {"emperor", true, NULL, DAEMON},
    {"certfile", true, NULL, TLS},
    {"keyfile", true, NULL, TLS},
    {"ca-certs", true, NULL, TLS},
    {"cert-reqs", true, NULL, TLS},
    {"ciphers", true, NULL, TLS},
    {"ssl-version", true, NULL, TLS},
    {"do-handshake-on-connect", false, NULL, TLS},
    {"suppress-ragged-eofs", false, NULL, TLS},
    {"https", true, NULL, TLS},
    {"ssl-certfile", true, NULL, TLS},
    {"ssl-keyfile", true, NULL, TLS},
    {"ssl-keyfile-password", true, NULL, TLS},
    {"ssl-ca-certs", true, NULL, TLS},
    {"ssl-cert-reqs", true, NULL, TLS},
    {"ssl-ciphers", true, NULL, TLS},
    {"static-map", true, NULL, STATIC},
    {"check-static", true, NULL, STATIC},
    {"add-header", true, NULL, MIDDLEWARE},
    {"header", true, NULL, MIDDLEWARE},
    {"paste", true, NULL, "a factory with paste.deploy.loadapp in it does that, see doc/migrating-from-gunicorn.md"},
    {"paster", true, NULL, "a factory with paste.deploy.loadapp in it does that, see doc/migrating-from-gunicorn.md"},
    {"paste-global", true, NULL, "a factory with paste.deploy.loadapp in it does that, see doc/migrating-from-gunicorn.md"},
    {"strip-header-spaces", false, NULL, "such requests are always refused"},
    {"tolerate-dangerous-framing", false, NULL, "such requests are always refused"},
    {"on-starting", true, NULL, HOOKS},
    {"on-reload", true, NULL, HOOKS},
    {"when-ready", true, NULL, HOOKS},
    {"pre-fork", true, NULL, HOOKS},
    {"post-fork", true, NULL, HOOKS},
    {"post-worker-init", true, NULL, HOOKS},
    {"worker-int", true, NULL, HOOKS},
    {"worker-abort", true, NULL, HOOKS},
    {"pre-exec", true, NULL, HOOKS},
    {"pre-request", true, NULL, HOOKS},
    {"post-request", true, NULL, HOOKS},
    {"child-exit", true, NULL, HOOKS},
    {"worker-exit", true, NULL, HOOKS},
    {"nworkers-changed", true, NULL, HOOKS},
    {"on-exit", true, NULL, HOOKS},
    {"plugin", true, NULL, "Python is the only language"},
    {"plugins", true, NULL, "Python is the only language"},
};
/* clang-format on */

const size_t foreign_option_count = sizeof(foreign_options) / sizeof(foreign_options[0]);

const struct foreign_option *foreign_option_find(const char *name, size_t size)
{
    for (size_t i = 0; i < foreign_option_count; i++) {
        if (strlen(foreign_options[i].name) == size && name_starts_with(foreign_options[i].name, name, size))
            return &foreign_options[i];
    }
    return NULL;
}

const struct option_row *option_find_nearest(const char *name, size_t size)
{
    const struct option_row *nearest = NULL;
    size_t nearest_distance = SIZE_MAX;
    for (size_t i = 0; i < option_row_count; i++) {
        size_t distance = name_distance(name, size, option_rows[i].name);
        if (option_rows[i].hidden || distance >= nearest_distance)
            continue;
        nearest = &option_rows[i];
        nearest_distance = distance;
    }
    return nearest;
}

#define PREFIX "GATEWAY_"

enum { PREFIX_SIZE = sizeof(PREFIX) - 1, NAME_SIZE = 64, SENTENCE_SIZE = 256 };

static bool ends_with(const char *name, size_t size, const char *end)
{
    size_t end_size = strlen(end);
    return size >= end_size && memcmp(name + size - end_size, end, end_size) == 0;
}

/* Variables of a Service named gateway or gateway-something: GATEWAY_SERVICE_HOST,
 * GATEWAY_SERVICE_PORT_HTTP, GATEWAY_PORT=tcp://..., GATEWAY_PORT_80_TCP_ADDR. */
static bool is_kubernetes(const char *entry, size_t size)
{
    char name[NAME_SIZE * 2];
    snprintf(name, sizeof(name), "%.*s", (int)size, entry);
    const char *port = strstr(name, "_PORT_");
    return ends_with(name, strlen(name), "_SERVICE_HOST") || strstr(name, "_SERVICE_PORT") != NULL ||
           (ends_with(name, strlen(name), "_PORT") && strstr(entry + size, "://") != NULL) ||
           (port != NULL && isdigit((unsigned char)port[strlen("_PORT_")]));
}

/* "GATEWAY_KEEPALIVE" to "keepalive"; only capitals make an option's variable. */
static size_t option_name(const char *entry, size_t size, char name[NAME_SIZE])
{
    size_t used = 0;
    for (size_t i = PREFIX_SIZE; i < size && used < NAME_SIZE - 1; i++)
        name[used++] = (char)tolower((unsigned char)entry[i]);
    name[used] = '\0';
    return used;
}

static bool is_known(const char *entry, size_t size)
{
    static const char *const others[] = {"GATEWAY_CMD_ARGS", "GATEWAY_HERITAGE", "GATEWAY_INTERFACE"};
    char name[NAME_SIZE];
    size_t name_size = option_name(entry, size, name);
    bool capitals = true;
    for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++)
        if (strlen(others[i]) == size && memcmp(entry, others[i], size) == 0)
            return true;
    for (size_t i = 0; i < size; i++)
        capitals &= !islower((unsigned char)entry[i]) && entry[i] != '-';
    return capitals && option_find_name(name, name_size) != NULL;
}

static void tell_stray(const char *entry, size_t size, void (*tell)(const char *sentence))
{
    char sentence[SENTENCE_SIZE], name[NAME_SIZE], nearest[NAME_SIZE];
    const struct option_row *row = option_find_nearest(name, option_name(entry, size, name));
    int shown = size < NAME_SIZE ? (int)size : NAME_SIZE;
    snprintf(nearest, sizeof(nearest), "%s", row != NULL ? row->name : "");
    for (char *c = nearest; *c != '\0'; c++)
        *c = *c == '-' ? '_' : (char)toupper((unsigned char)*c);
    snprintf(sentence, sizeof(sentence), "%.*s in the environment belongs to no option and is ignored%s%s%s",
             shown, entry, row != NULL ? "; did you mean " PREFIX : "", nearest, row != NULL ? "?" : "");
    tell(sentence);
}

void options_tell_strays(char *const *environment, void (*tell)(const char *sentence))
{
    for (; *environment != NULL; environment++) {
        size_t size = strcspn(*environment, "=");
        if (strncmp(*environment, PREFIX, PREFIX_SIZE) == 0 && !is_known(*environment, size) &&
            !is_kubernetes(*environment, size))
            tell_stray(*environment, size, tell);
    }
}
