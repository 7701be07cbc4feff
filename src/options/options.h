/*
 * The options, from all their sources.
 *
 * options_table.c has one row per option. The row yields the flag, the key in a file,
 * GATEWAY_<NAME>, the check, --help and the manual page. Precedence: defaults < configuration file
 * < GATEWAY_* and well-known variables < GATEWAY_CMD_ARGS < command line. Sockets from systemd
 * (LISTEN_FDS) replace any --bind. A new option is a field here and a row there.
 *
 * Times are milliseconds, sizes are bytes. The struct owns all its strings. It is not changed while
 * other threads read it.
 */
#ifndef OPTIONS_OPTIONS_H
#define OPTIONS_OPTIONS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct string_list {
    char **items;
    size_t count;
};

enum options_action {
    OPTIONS_SERVE,
    OPTIONS_HELP,
    OPTIONS_VERSION,
    OPTIONS_PRINT,  /* --print-config */
    OPTIONS_MANUAL, /* --help-manual: the OPTIONS section of gateway(1), for the build */
    OPTIONS_BASH,   /* --help-bash and so on: for the shell's completion, for the build */
    OPTIONS_ZSH,
    OPTIONS_FISH,
};

struct options {
    char *application; /* MODULE[:CALLABLE] */
    enum options_action action;
    bool check_config; /* only check whether the service would start */
    char *
        config; /* the configuration file named by --config; NULL = a file with a usual name, if one exists */

    /* server */
    struct string_list bind;
    bool bind_replaced; /* LISTEN_FDS replaced a --bind */
    int64_t backlog;
    char *forwarded_allow_ips;  /* trusted proxies: options/networks.h */
    char *forwarded_headers;    /* fields believed from them: options/forwarded_fields.h */
    int64_t proxy_protocol;     /* enum proxy_version, http/proxy_protocol.h */
    int64_t request_id;         /* 0 off, 1 on */
    int64_t workers;            /* 0 = auto */
    int64_t threads;            /* calls of the application at once, per worker */
    bool preload;               /* import the application in a zygote */
    char *health_path;          /* prefix; NULL = off */
    char *control_socket;       /* NULL = off */
    char *status;               /* an address; NULL = off */
    char *status_host;          /* names it answers to besides localhost; NULL: none */
    int64_t queue_timeout;      /* ms; 0 = none */
    int64_t slow_request;       /* ms; 0 = off */
    int64_t timeout;            /* ms, of one call of the application; 0 = none */
    int64_t worker_connections; /* 0 = from the descriptor limit */
    char *tmp_dir;

    /* application */
    char *chdir;
    char *pythonpath; /* colon-separated */
    char *venv;
    struct string_list env; /* K=V */
    char *env_file;
    char *root_path; /* SCRIPT_NAME */
    bool reload;     /* when a source file changes */
    struct string_list reload_extra_file;

    /* process; NULL = unchanged */
    char *user, *group; /* names or numbers */
    char *umask;        /* octal */
    char *pid_file;     /* NULL = none */
    char *name;         /* for ps; NULL = the application's */

    /* times, ms; 0 = none */
    int64_t drain_delay;
    int64_t graceful_timeout, keep_alive, header_timeout, body_timeout, write_timeout;

    /* limits, in bytes unless noted */
    int64_t min_body_rate; /* bytes a second; 0 = none */
    int64_t limit_request_line, limit_request_fields /* count */, limit_request_field_size,
        limit_request_head;
    int64_t limit_request_body, body_memory, response_memory, response_spool, spool_total;

    /* limits after which a worker is replaced; 0 = never */
    int64_t max_requests, max_requests_jitter; /* counts */
    int64_t max_lifetime;                      /* ms */
    int64_t max_rss;                           /* bytes */

    /* logs */
    char *access_logfile; /* NULL = off */
    char *access_logformat;
    char *error_logfile;
    int64_t log_level;  /* enum log_level */
    int64_t log_format; /* 0 text, 1 json */
};

#endif
