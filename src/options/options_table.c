/*
 * The options: one row each. A row is the flag, GATEWAY_<NAME>, the check, --help and the manual
 * page.
 */
#include "options/options_table.h"

#include <string.h>

#include "options/name_distance.h"

#define FIELD(name) .field = offsetof(struct options, name)
#define KIB         1024
#define MIB         (1024 * KIB)
#define GIB         (1024 * (int64_t)MIB)
#define HOUR        (3600 * (int64_t)1000)

static const char *const off_on[] = {"off", "on", NULL};
static const char *const proxy_versions[] = {"off", "v1", "v2", "auto", NULL};
static const char *const log_levels[] = {"debug", "info", "warning", "error", "critical", NULL};
static const char *const log_formats[] = {"text", "json", NULL};

/* clang-format off */
const struct option_row option_rows[] = {
    { .section = "Server", .name = "bind", .restart = true, .letter = 'b', .kind = OPTION_LIST, FIELD(bind), .value = "ADDR", .min = 1,
      .help = "Listen on this address: HOST:PORT, :PORT, [V6]:PORT, unix:PATH, unix:@ABSTRACT or fd://N. Can be "
              "repeated. The default is 127.0.0.1:8000, or 0.0.0.0:$PORT if PORT is set. Sockets from systemd are "
              "used instead if there are any." },
    { .section = "Server", .name = "backlog", .restart = true, .kind = OPTION_NUMBER, FIELD(backlog), .value = "N",
      .initial = "2048", .min = 1, .max = 65535,
      .help = "Maximum number of connections that wait to be accepted, for each worker and address." },
    { .section = "Server", .name = "workers", .letter = 'w', .kind = OPTION_NUMBER, FIELD(workers),
      .value = "N|auto", .initial = "auto", .word = "auto", .min = 1, .max = 1024, .variable = "WEB_CONCURRENCY",
      .help = "Number of worker processes. auto starts one for each available CPU." },
    { .section = "Server", .name = "threads", .restart = true, .kind = OPTION_NUMBER, FIELD(threads), .value = "N",
      .initial = "1", .min = 1, .max = 1024,
      .help = "Number of application calls that each worker runs at once. With 1, all calls run on the main thread." },
    { .section = "Server", .name = "preload", .restart = true, .kind = OPTION_FLAG, FIELD(preload),
      .help = "Import the application once, then fork the workers from that process. The workers share its memory." },
    { .section = "Server", .name = "worker-connections", .kind = OPTION_NUMBER, FIELD(worker_connections),
      .value = "N|auto", .initial = "auto", .word = "auto", .min = 0, .max = 1000000,
      .help = "Maximum number of connections per worker. At the limit, the worker closes an idle connection for a "
              "new one. If none is idle, it stops accepting for a while. auto derives the number from the "
              "descriptor limit." },
    { .section = "Server", .name = "forwarded-allow-ips", .kind = OPTION_NETWORKS, FIELD(forwarded_allow_ips),
      .value = "LIST", .initial = "127.0.0.1,::1,unix", .variable = "FORWARDED_ALLOW_IPS",
      .help = "Trusted proxies: addresses, ADDRESS/BITS, unix for Unix-domain sockets, or * for all. Their "
              "X-Forwarded-* and Forwarded fields describe the client. From other peers these fields are dropped." },
    { .section = "Server", .name = "forwarded-headers", .kind = OPTION_FIELDS, FIELD(forwarded_headers),
      .value = "LIST", .initial = "for,proto",
      .help = "Forwarded fields that the trusted proxies set: for, proto, host, port, prefix, by, or another "
              "X-Forwarded-NAME for the application. All others are dropped, because the client may have written "
              "them." },
    { .section = "Server", .name = "proxy-protocol", .kind = OPTION_CHOICE, FIELD(proxy_protocol), .value = "VERSION",
      .initial = "off", .choices = proxy_versions,
      .help = "off, v1, v2 or auto: require a header of the PROXY protocol on each connection from "
              "--forwarded-allow-ips. The header gives the client's address." },
    { .section = "Server", .name = "request-id", .kind = OPTION_CHOICE, FIELD(request_id), .value = "off|on",
      .initial = "off", .choices = off_on,
      .help = "on: give every request an X-Request-Id, in environ, the logs and the response. The ID of a trusted "
              "proxy is kept." },
    { .section = "Server", .name = "health-path", .kind = OPTION_URL_PATH, FIELD(health_path), .value = "PREFIX",
      .help = "Answer PREFIX/live and PREFIX/ready without calling the application." },
    { .section = "Server", .name = "control-socket", .restart = true, .kind = OPTION_STRING, FIELD(control_socket), .value = "PATH",
      .min = 1,
      .help = "Create this Unix-domain socket, over which gatewayctl(1) controls the service." },
    { .section = "Server", .name = "status", .restart = true, .kind = OPTION_STRING, FIELD(status), .value = "ADDR",
      .initial = "off", .word = "off", .min = 1,
      .help = "Serve /metrics, /status.json, /live, /ready and a status page on this address, from a separate "
              "process." },
    { .section = "Server", .name = "status-host", .restart = true, .kind = OPTION_HOSTS, FIELD(status_host), .value = "LIST",
      .help = "Host names of the --status address, separated by commas. A request for another name gets 421. IP "
              "addresses and localhost are always accepted." },
    { .section = "Server", .name = "tmp-dir", .kind = OPTION_STRING, FIELD(tmp_dir), .value = "DIR",
      .initial = "/tmp", .min = 1, .variable = "TMPDIR",
      .help = "Directory of the temporary files for bodies that are too large for memory. The files have no name." },

    { .section = "Application", .name = "chdir", .restart = true, .kind = OPTION_STRING, FIELD(chdir), .value = "DIR",
      .initial = ".", .min = 1,
      .help = "Change to this directory first, and add it to the front of sys.path. A reload resolves the name "
              "again, so it can be a link to a release." },
    { .section = "Application", .name = "pythonpath", .kind = OPTION_STRING, FIELD(pythonpath), .value = "DIRS",
      .word = "",
      .help = "Directories to add to the front of sys.path, separated by colons." },
    { .section = "Application", .name = "venv", .kind = OPTION_STRING, FIELD(venv), .value = "DIR",
      .help = "Virtual environment to run in, or '' for none. The default is the environment whose bin/ contains "
              "this program, else $VIRTUAL_ENV." },
    { .section = "Application", .name = "env", .letter = 'e', .kind = OPTION_PAIRS, FIELD(env), .value = "K=V",
      .help = "Set an environment variable before Python starts. Can be repeated." },
    { .section = "Application", .name = "env-file", .kind = OPTION_STRING, FIELD(env_file), .value = "FILE",
      .min = 1,
      .help = "Set the environment variables of this file. Each line is NAME=VALUE." },
    { .section = "Application", .name = "root-path", .kind = OPTION_URL_PATH, FIELD(root_path), .value = "PREFIX",
      .initial = "", .variable = "SCRIPT_NAME",
      .help = "URL prefix of the application. It becomes SCRIPT_NAME." },
    { .section = "Application", .name = "reload", .kind = OPTION_FLAG, FIELD(reload),
      .help = "For development: reload the application when one of its source files is saved." },
    { .section = "Application", .name = "reload-extra-file", .kind = OPTION_LIST, FIELD(reload_extra_file),
      .value = "FILE", .min = 1,
      .help = "With --reload: also reload when this file is saved. The file need not exist yet. A directory is "
              "refused. Can be repeated." },

    { .section = "Process", .name = "user", .restart = true, .letter = 'u', .kind = OPTION_STRING, FIELD(user), .value = "NAME|UID",
      .word = "",
      .help = "User that runs the application. Start gateway as root; the workers become this user before Python "
              "starts." },
    { .section = "Process", .name = "group", .restart = true, .letter = 'g', .kind = OPTION_STRING, FIELD(group), .value = "NAME|GID",
      .word = "",
      .help = "Group that runs the application. The default is the group of the user." },
    { .section = "Process", .name = "umask", .restart = true, .letter = 'm', .kind = OPTION_OCTAL, FIELD(umask), .value = "OCTAL",
      .word = "", .max = 0777,
      .help = "Permission bits to remove from new files and Unix-domain sockets." },
    { .section = "Process", .name = "pid", .restart = true, .letter = 'p', .kind = OPTION_STRING, FIELD(pid_file), .value = "FILE",
      .word = "",
      .help = "Write the process ID of the master to this file." },
    { .section = "Process", .name = "name", .restart = true, .letter = 'n', .kind = OPTION_STRING, FIELD(name), .value = "NAME",
      .word = "",
      .help = "Name of the service in ps. The default is the application." },

    { .section = "Times", .name = "graceful-timeout", .kind = OPTION_TIME, FIELD(graceful_timeout),
      .value = "TIME", .initial = "30s", .min = 0, .max = 24 * HOUR,
      .help = "Time for a worker that stops to finish its requests and to end Python. With 0, requests in progress "
              "are cut." },
    { .section = "Times", .name = "drain-delay", .kind = OPTION_TIME, FIELD(drain_delay), .value = "TIME",
      .initial = "0", .min = 0, .max = 24 * HOUR,
      .help = "When asked to stop, report not ready but keep serving for this time, so that load balancers notice. "
              "Responses close their connections during this time." },
    { .section = "Times", .name = "timeout", .letter = 't', .kind = OPTION_TIME, FIELD(timeout), .value = "TIME",
      .initial = "30s", .min = 0, .max = 24 * HOUR,
      .help = "Time limit of one application call, up to the last byte it sends. A longer call gets an exception, "
              "and the client gets 504. 0 means no limit." },
    { .section = "Times", .name = "queue-timeout", .kind = OPTION_TIME, FIELD(queue_timeout), .value = "TIME",
      .initial = "30s", .min = 0, .max = 24 * HOUR,
      .help = "Time that a request may wait for a thread. After it, the client gets 503. 0 means no limit." },
    { .section = "Times", .name = "keep-alive", .kind = OPTION_TIME, FIELD(keep_alive), .value = "TIME",
      .initial = "75s", .min = 0, .max = 24 * HOUR,
      .help = "Time that a connection may be idle between requests. 0 closes it after each response." },
    { .section = "Times", .name = "header-timeout", .kind = OPTION_TIME, FIELD(header_timeout), .value = "TIME",
      .initial = "10s", .min = 0, .max = 24 * HOUR,
      .help = "Time limit of a request head, from its first byte. After it, the client gets 408. A new connection "
              "has the same time to send the first byte. 0 means no limit." },
    { .section = "Times", .name = "body-timeout", .kind = OPTION_TIME, FIELD(body_timeout), .value = "TIME",
      .initial = "30s", .min = 0, .max = 24 * HOUR,
      .help = "Time that a client may pause while it sends a request body. After it, the client gets 408. 0 means "
              "no limit." },
    { .section = "Times", .name = "min-body-rate", .kind = OPTION_SIZE, FIELD(min_body_rate), .value = "BYTES",
      .initial = "500", .min = 0, .max = GIB,
      .help = "Minimum average rate of a request body in bytes per second, checked after its first 10 s. A slower "
              "client gets 408. 0 means no limit." },
    { .section = "Times", .name = "write-timeout", .kind = OPTION_TIME, FIELD(write_timeout), .value = "TIME",
      .initial = "60s", .min = 0, .max = 24 * HOUR,
      .help = "Time that a client may read nothing of its response. After it, the connection is closed. 0 means no "
              "limit." },

    { .section = "Limits", .name = "limit-request-line", .kind = OPTION_SIZE, FIELD(limit_request_line),
      .value = "N", .initial = "8190", .min = 64, .max = MIB,
      .help = "Maximum size of the request line. A longer line gets 414." },
    { .section = "Limits", .name = "limit-request-fields", .kind = OPTION_NUMBER, FIELD(limit_request_fields),
      .value = "N", .initial = "100", .min = 1, .max = 32768,
      .help = "Maximum number of header fields in a request. More fields get 431." },
    { .section = "Limits", .name = "limit-request-field_size", .kind = OPTION_SIZE,
      FIELD(limit_request_field_size), .value = "N", .initial = "8190", .min = 64, .max = MIB,
      .help = "Maximum size of one header field. A larger field gets 431." },
    { .section = "Limits", .name = "limit-request-head", .kind = OPTION_SIZE, FIELD(limit_request_head),
      .value = "N", .initial = "64k", .min = 256, .max = 16 * MIB,
      .help = "Maximum size of the whole request head. A larger head gets 431." },
    { .section = "Limits", .name = "limit-request-body", .kind = OPTION_SIZE, FIELD(limit_request_body),
      .value = "BYTES", .initial = "1g", .min = 1, .max = 1024 * GIB,
      .help = "Maximum size of a request body. A larger body gets 413." },
    { .section = "Limits", .name = "body-memory", .kind = OPTION_SIZE, FIELD(body_memory), .value = "BYTES",
      .initial = "64k", .min = KIB, .max = GIB,
      .help = "Maximum size of a request body in memory. A larger body goes to a temporary file." },
    { .section = "Limits", .name = "response-memory", .kind = OPTION_SIZE, FIELD(response_memory),
      .value = "BYTES", .initial = "256k", .min = 4 * KIB, .max = GIB,
      .help = "Maximum size of response data in memory that a slow client has not read yet. More data goes to a "
              "temporary file." },
    { .section = "Limits", .name = "response-spool", .kind = OPTION_SIZE, FIELD(response_spool),
      .value = "BYTES", .initial = "1g", .min = 0, .max = 1024 * GIB,
      .help = "Maximum size of this temporary file. When it is full, the application waits for the client. A block "
              "from the application is accepted whole, even beyond this size." },
    { .section = "Limits", .name = "spool-total", .kind = OPTION_SIZE, FIELD(spool_total),
      .value = "BYTES", .initial = "8g", .min = 0, .max = 1024 * 1024 * GIB,
      .help = "Maximum size of all temporary files of the service together. When it is reached, a large request "
              "body gets 503, and a response waits for its client." },

    { .section = "Recycling", .name = "max-requests", .kind = OPTION_NUMBER, FIELD(max_requests), .value = "N",
      .initial = "0", .min = 0, .max = INT64_MAX / 4,
      .help = "Replace a worker after this number of requests, once its successor is ready. 0 means never." },
    { .section = "Recycling", .name = "max-requests-jitter", .kind = OPTION_NUMBER, FIELD(max_requests_jitter),
      .value = "N", .initial = "0", .min = 0, .max = INT64_MAX / 4,
      .help = "Add a random number of requests, at most this one, so that workers are not replaced together." },
    { .section = "Recycling", .name = "max-lifetime", .kind = OPTION_TIME, FIELD(max_lifetime), .value = "TIME",
      .initial = "0", .min = 0, .max = 24 * 365 * HOUR,
      .help = "Replace a worker after this time, plus up to a tenth of it at random. 0 means never." },
    { .section = "Recycling", .name = "max-rss", .kind = OPTION_SIZE, FIELD(max_rss), .value = "BYTES",
      .initial = "0", .min = 0, .max = 1024 * GIB,
      .help = "Replace a worker that uses more memory than this. 0 means never." },

    { .section = "Logs", .name = "access-logfile", .restart = true, .kind = OPTION_STRING, FIELD(access_logfile),
      .value = "FILE", .initial = "off", .word = "off", .min = 1,
      .help = "Write the access log to this file; - is standard output." },
    { .section = "Logs", .name = "access-logformat", .restart = true, .kind = OPTION_STRING, FIELD(access_logformat),
      .value = "FMT", .initial = "combined", .min = 1,
      .help = "Format of the access log: common, combined, json, or a string of atoms such as %(h)s \"%(r)s\" "
              "%(s)s." },
    { .section = "Logs", .name = "error-logfile", .restart = true, .kind = OPTION_STRING, FIELD(error_logfile), .value = "FILE",
      .initial = "-", .min = 1,
      .help = "Write the error log to this file; - is standard error." },
    { .section = "Logs", .name = "log-level", .restart = true, .kind = OPTION_CHOICE, FIELD(log_level), .value = "LEVEL",
      .initial = "info", .choices = log_levels,
      .help = "Lowest level to log: debug, info, warning, error or critical." },
    { .section = "Logs", .name = "log-format", .restart = true, .kind = OPTION_CHOICE, FIELD(log_format), .value = "FORMAT",
      .initial = "text", .choices = log_formats,
      .help = "Format of the error log: text, or json with one object per line." },
    { .section = "Logs", .name = "slow-request", .kind = OPTION_TIME, FIELD(slow_request), .value = "TIME",
      .initial = "0", .min = 0, .max = 24 * HOUR,
      .help = "Log the Python stack of an application call that runs longer than this. 0 means off." },

    { .section = "Other", .name = "config", .letter = 'c', .kind = OPTION_STRING, FIELD(config), .value = "FILE",
      .min = 1,
      .help = "Read options from this TOML file, under the same names. The default is gateway.toml in the working "
              "directory, else the table [tool.gateway] of pyproject.toml there." },
    { .section = "Other", .name = "print-config", .kind = OPTION_ACTION, .action = OPTIONS_PRINT,
      .help = "Print the value and the origin of every option as a configuration file, and exit." },
    { .section = "Other", .name = "check-config", .kind = OPTION_FLAG, FIELD(check_config),
      .help = "Load the application, print everything that would prevent a start, and exit." },
    { .section = "Other", .name = "version", .letter = 'v', .kind = OPTION_ACTION, .action = OPTIONS_VERSION,
      .help = "Print the version and exit." },
    { .section = "Other", .name = "help", .letter = 'h', .kind = OPTION_ACTION, .action = OPTIONS_HELP,
      .help = "Print this help and exit." },
    { .section = "Other", .name = "help-manual", .hidden = true, .kind = OPTION_ACTION, .action = OPTIONS_MANUAL,
      .help = "Print the options as mdoc for the manual page." },
    { .section = "Other", .name = "help-bash", .hidden = true, .kind = OPTION_ACTION, .action = OPTIONS_BASH,
      .help = "Print the completion for bash." },
    { .section = "Other", .name = "help-zsh", .hidden = true, .kind = OPTION_ACTION, .action = OPTIONS_ZSH,
      .help = "Print the completion for zsh." },
    { .section = "Other", .name = "help-fish", .hidden = true, .kind = OPTION_ACTION, .action = OPTIONS_FISH,
      .help = "Print the completion for fish." },
};
/* clang-format on */

const size_t option_row_count = sizeof(option_rows) / sizeof(option_rows[0]);

const struct option_row *option_find_name(const char *name, size_t size)
{
    for (size_t i = 0; i < option_row_count; i++) {
        if (strlen(option_rows[i].name) == size && name_starts_with(option_rows[i].name, name, size))
            return &option_rows[i];
    }
    return NULL;
}

const struct option_row *option_find_letter(char letter)
{
    for (size_t i = 0; i < option_row_count; i++) {
        if (letter != '\0' && option_rows[i].letter == letter)
            return &option_rows[i];
    }
    return NULL;
}
