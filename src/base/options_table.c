/*
 * The options: one row each. The row is the flag, GATEWAY_<NAME>, the check, --help and the manual page.
 */
#include "base/options_table.h"

#define FIELD(name) .field = offsetof(struct options, name)
#define KIB         1024
#define MIB         (1024 * KIB)
#define GIB         (1024 * (int64_t)MIB)
#define HOUR        (3600 * (int64_t)1000)

static const char *const log_levels[] = {"debug", "info", "warning", "error", "critical", NULL};
static const char *const log_formats[] = {"text", "json", NULL};

/* clang-format off */
const struct option_row option_rows[] = {
    { .section = "Server", .name = "bind", .letter = 'b', .kind = OPTION_LIST, FIELD(bind), .value = "ADDR", .min = 1,
      .help = "Listen here: HOST:PORT, :PORT, [V6]:PORT, unix:PATH, unix:@ABSTRACT or fd://N. Can be repeated. "
              "Without it 127.0.0.1:8000, or 0.0.0.0:$PORT where PORT is set." },
    { .section = "Server", .name = "backlog", .kind = OPTION_NUMBER, FIELD(backlog), .value = "N",
      .initial = "2048", .min = 1, .max = 65535,
      .help = "Connections that may wait to be accepted, per worker and address." },
    { .section = "Server", .name = "workers", .letter = 'w', .kind = OPTION_NUMBER, FIELD(workers),
      .value = "N|auto", .initial = "auto", .word = "auto", .min = 1, .max = 1024, .variable = "WEB_CONCURRENCY",
      .help = "Worker processes. auto: as many as there are CPUs to use." },
    { .section = "Server", .name = "threads", .kind = OPTION_NUMBER, FIELD(threads), .value = "N",
      .initial = "1", .min = 1, .max = 1024,
      .help = "Calls of the application at once, per worker. With 1 they are all on the main thread." },
    { .section = "Server", .name = "worker-connections", .kind = OPTION_NUMBER, FIELD(worker_connections),
      .value = "N|auto", .initial = "auto", .word = "auto", .min = 0, .max = 1000000,
      .help = "Connections per worker; at the limit accepting pauses. auto: from the descriptor limit." },
    { .section = "Server", .name = "health-path", .kind = OPTION_URL_PATH, FIELD(health_path), .value = "PREFIX",
      .help = "Answer PREFIX/live and PREFIX/ready without the application." },
    { .section = "Server", .name = "tmp-dir", .kind = OPTION_STRING, FIELD(tmp_dir), .value = "DIR",
      .initial = "/tmp", .min = 1, .variable = "TMPDIR",
      .help = "Where bodies too large for memory are kept, in files without a name." },

    { .section = "Application", .name = "chdir", .kind = OPTION_STRING, FIELD(chdir), .value = "DIR",
      .initial = ".", .min = 1,
      .help = "Change to this directory first; it leads sys.path." },
    { .section = "Application", .name = "pythonpath", .kind = OPTION_STRING, FIELD(pythonpath), .value = "DIRS",
      .word = "",
      .help = "Directories to put in front of sys.path, separated by colons." },
    { .section = "Application", .name = "venv", .kind = OPTION_STRING, FIELD(venv), .value = "DIR",
      .word = "", .variable = "VIRTUAL_ENV",
      .help = "The virtual environment to run in." },
    { .section = "Application", .name = "env", .letter = 'e', .kind = OPTION_PAIRS, FIELD(env), .value = "K=V",
      .help = "Set an environment variable before Python starts. Can be repeated." },
    { .section = "Application", .name = "env-file", .kind = OPTION_STRING, FIELD(env_file), .value = "FILE",
      .min = 1,
      .help = "Set the variables of this file, a NAME=VALUE a line." },
    { .section = "Application", .name = "root-path", .kind = OPTION_URL_PATH, FIELD(root_path), .value = "PATH",
      .initial = "", .variable = "SCRIPT_NAME",
      .help = "The SCRIPT_NAME: where the application is mounted." },

    { .section = "Times", .name = "graceful-timeout", .kind = OPTION_TIME, FIELD(graceful_timeout),
      .value = "TIME", .initial = "30s", .min = 0, .max = 24 * HOUR,
      .help = "For requests in flight when asked to stop; 0 gives them none." },
    { .section = "Times", .name = "timeout", .letter = 't', .kind = OPTION_TIME, FIELD(timeout), .value = "TIME",
      .initial = "30s", .min = 0, .max = 24 * HOUR,
      .help = "For one call of the application, to its last byte: 504, and an exception in it. 0: no limit." },
    { .section = "Times", .name = "queue-timeout", .kind = OPTION_TIME, FIELD(queue_timeout), .value = "TIME",
      .initial = "30s", .min = 0, .max = 24 * HOUR,
      .help = "How long a request may wait for a thread: 503. 0: no limit." },
    { .section = "Times", .name = "keep-alive", .kind = OPTION_TIME, FIELD(keep_alive), .value = "TIME",
      .initial = "75s", .min = 0, .max = 24 * HOUR,
      .help = "How long a connection may idle between requests; 0 closes it after each." },
    { .section = "Times", .name = "header-timeout", .kind = OPTION_TIME, FIELD(header_timeout), .value = "TIME",
      .initial = "10s", .min = 0, .max = 24 * HOUR,
      .help = "For a whole request head, from its first byte: 408. 0: no limit." },
    { .section = "Times", .name = "body-timeout", .kind = OPTION_TIME, FIELD(body_timeout), .value = "TIME",
      .initial = "30s", .min = 0, .max = 24 * HOUR,
      .help = "How long a request body may stand still: 408. 0: no limit." },
    { .section = "Times", .name = "min-body-rate", .kind = OPTION_SIZE, FIELD(min_body_rate), .value = "BYTES",
      .initial = "500", .min = 0, .max = GIB,
      .help = "Bytes a second that a request body must keep up on average, after its first 10 s: 408. 0: no limit." },
    { .section = "Times", .name = "write-timeout", .kind = OPTION_TIME, FIELD(write_timeout), .value = "TIME",
      .initial = "60s", .min = 0, .max = 24 * HOUR,
      .help = "How long a client may take nothing of its response. 0: no limit." },

    { .section = "Limits", .name = "limit-request-line", .kind = OPTION_SIZE, FIELD(limit_request_line),
      .value = "N", .initial = "8190", .min = 64, .max = MIB,
      .help = "Bytes of the request line: 414." },
    { .section = "Limits", .name = "limit-request-fields", .kind = OPTION_NUMBER, FIELD(limit_request_fields),
      .value = "N", .initial = "100", .min = 1, .max = 32768,
      .help = "Header fields of a request: 431." },
    { .section = "Limits", .name = "limit-request-field_size", .kind = OPTION_SIZE,
      FIELD(limit_request_field_size), .value = "N", .initial = "8190", .min = 64, .max = MIB,
      .help = "Bytes of one header field: 431." },
    { .section = "Limits", .name = "limit-request-head", .kind = OPTION_SIZE, FIELD(limit_request_head),
      .value = "N", .initial = "64k", .min = 256, .max = 16 * MIB,
      .help = "Bytes of a whole request head: 431." },
    { .section = "Limits", .name = "limit-request-body", .kind = OPTION_SIZE, FIELD(limit_request_body),
      .value = "BYTES", .initial = "1g", .min = 1, .max = 1024 * GIB,
      .help = "Bytes of a request body: 413." },
    { .section = "Limits", .name = "body-memory", .kind = OPTION_SIZE, FIELD(body_memory), .value = "BYTES",
      .initial = "64k", .min = KIB, .max = GIB,
      .help = "A larger request body goes to a temporary file." },
    { .section = "Limits", .name = "response-memory", .kind = OPTION_SIZE, FIELD(response_memory),
      .value = "BYTES", .initial = "256k", .min = 4 * KIB, .max = GIB,
      .help = "What a slow client has not taken yet of its response stays in memory up to this size." },
    { .section = "Limits", .name = "response-spool", .kind = OPTION_SIZE, FIELD(response_spool),
      .value = "BYTES", .initial = "1g", .min = 0, .max = 1024 * GIB,
      .help = "And then in a temporary file up to this size; beyond both the application waits. One block is always taken whole." },

    { .section = "Logs", .name = "access-logfile", .kind = OPTION_STRING, FIELD(access_logfile),
      .value = "FILE", .initial = "off", .word = "off", .min = 1,
      .help = "Log every request here; - is standard output." },
    { .section = "Logs", .name = "access-logformat", .kind = OPTION_STRING, FIELD(access_logformat),
      .value = "FMT", .initial = "combined", .min = 1,
      .help = "common, combined, json, or a string of atoms as in %(h)s \"%(r)s\" %(s)s." },
    { .section = "Logs", .name = "error-logfile", .kind = OPTION_STRING, FIELD(error_logfile), .value = "FILE",
      .initial = "-", .min = 1,
      .help = "Log everything else here; - is standard error." },
    { .section = "Logs", .name = "log-level", .kind = OPTION_CHOICE, FIELD(log_level), .value = "LEVEL",
      .initial = "info", .choices = log_levels,
      .help = "debug, info, warning, error or critical." },
    { .section = "Logs", .name = "log-format", .kind = OPTION_CHOICE, FIELD(log_format), .value = "FORMAT",
      .initial = "text", .choices = log_formats,
      .help = "text, or json: an object a line." },
    { .section = "Logs", .name = "slow-request", .kind = OPTION_TIME, FIELD(slow_request), .value = "TIME",
      .initial = "0", .min = 0, .max = 24 * HOUR,
      .help = "Log the Python stack of a call that has run this long. 0: off." },

    { .section = "Other", .name = "version", .letter = 'v', .kind = OPTION_ACTION, .action = OPTIONS_VERSION,
      .help = "Print the version and stop." },
    { .section = "Other", .name = "help", .letter = 'h', .kind = OPTION_ACTION, .action = OPTIONS_HELP,
      .help = "Print this and stop." },
    { .section = "Other", .name = "help-manual", .hidden = true, .kind = OPTION_ACTION, .action = OPTIONS_MANUAL,
      .help = "Print the options as mdoc, for the manual page." },
};
/* clang-format on */

const size_t option_row_count = sizeof(option_rows) / sizeof(option_rows[0]);
_Static_assert(sizeof(option_rows) / sizeof(option_rows[0]) <= 64, "struct parse has a bit for each row");
