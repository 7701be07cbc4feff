/*
 * The options: what the user asked for, whatever way it was said.
 *
 * options_table.c has one row per option; the row yields the flag, the key in a file, GATEWAY_<NAME>, the check, --help and the
 * manual page. Precedence: defaults < configuration file < GATEWAY_* and the known variables < GATEWAY_CMD_ARGS < command line; but
 * sockets that systemd has passed (LISTEN_FDS) are used in the place of any --bind.
 * A new option is a field here and a row there.
 *
 * Times are milliseconds, sizes are bytes. All strings belong to the struct.
 */
#ifndef OPTIONS_OPTIONS_H
#define OPTIONS_OPTIONS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "base/log.h"
#include "options/completion.h"

struct string_list {
    char **items;
    size_t count;
};

void string_list_add(struct string_list *list, const char *text); /* copied */
void string_list_free(struct string_list *list);                  /* its items; it is empty then */

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

/* What a configuration file says, in its order: keys are names of options or "application"; a list's items come one by one. */
struct settings {
    char *name; /* of the file, for messages */
    struct string_list keys, values;
};

struct options {
    char *application; /* MODULE[:CALLABLE] */
    enum options_action action;
    bool check_config; /* say whether the service would start, and end */
    char *config; /* the configuration file that was named; NULL = one with a usual name, if there is one */

    /* server */
    struct string_list bind;
    bool bind_replaced; /* by LISTEN_FDS, which came with it */
    int64_t backlog;
    char *forwarded_allow_ips;  /* whose word on clients is taken: options/networks.h */
    char *forwarded_headers;    /* which of its fields: options/forwarded_fields.h */
    int64_t proxy_protocol;     /* enum proxy_version, http/proxy_protocol.h */
    int64_t request_id;         /* 0 off, 1 on */
    int64_t workers;            /* 0 = auto */
    int64_t threads;            /* app calls at once per worker */
    bool preload;               /* import in a zygote */
    char *health_path;          /* prefix; NULL = off */
    char *control_socket;       /* NULL = off */
    char *status;               /* an address; NULL = off */
    char *status_host;          /* names that it answers to besides localhost; NULL: none */
    int64_t queue_timeout;      /* ms; 0 = none */
    int64_t slow_request;       /* ms; 0 = off */
    int64_t timeout;            /* ms, of one app call; 0 = none */
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

    /* process; NULL = as it was started */
    char *user, *group; /* names or numbers */
    char *umask;        /* octal */
    char *pid_file;     /* NULL = none */
    char *name;         /* for ps; NULL = the application's */

    /* times, ms; 0 = none */
    int64_t drain_delay;
    int64_t graceful_timeout, keep_alive, header_timeout, body_timeout, write_timeout;

    /* limits, bytes unless said otherwise */
    int64_t min_body_rate; /* bytes a second; 0 = none */
    int64_t limit_request_line, limit_request_fields /* count */, limit_request_field_size,
        limit_request_head;
    int64_t limit_request_body, body_memory, response_memory, response_spool, spool_total;

    /* after which a worker is replaced; 0 = never */
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

/*
 * Fills `options` from the file (NULL: there is none), the environment and the command line. 0; or -1 when the user was wrong: then one clear sentence
 * (what, where, what to do) stands in `message` and the exit status is 2. Unknown options name the nearest known one.
 * `environment` is environ(7)-like; argv[0] is skipped.
 */
int options_parse(struct options *options, int argc, char *const *argv, char *const *environment,
                  const struct settings *file, char *message, size_t message_size);
/* What is wrong, where all of it is told. */
struct mistakes {
    size_t count;
    bool application; /* it may be about what the application is, or needs: to load it says nothing */
};

/* As options_parse, but goes on after a mistake: each is a sentence for `complain`, and counted. `options` has what was right. */
void options_parse_all(struct options *options, int argc, char *const *argv, char *const *environment,
                       const struct settings *file, void (*complain)(const char *message),
                       struct mistakes *mistakes);
/* --print-config: what the options are, as a configuration file would say it, and where each comes from. As options_parse. */
int options_print(FILE *out, int argc, char *const *argv, char *const *environment,
                  const struct settings *file, char *message, size_t message_size);
/* A sentence for each variable GATEWAY_... that is no option's. It may be somebody else's, so it is no mistake; those that Kubernetes makes
 * for a Service named gateway are not told. */
void options_tell_strays(char *const *environment, void (*tell)(const char *sentence));
bool options_want_check(int argc, char *const *argv, char *const *environment); /* --check-config, likewise */
/* The file that --config names, wherever that was said; to be freed, NULL when nobody has. Nothing else is judged. */
char *options_find_config(int argc, char *const *argv, char *const *environment);
/* The user that --user names, but for what the file says; likewise. */
char *options_find_user(int argc, char *const *argv, char *const *environment);
struct settings *settings_new(const char *name);
void settings_add(struct settings *settings, const char *key, const char *value);
void settings_free(struct settings *settings); /* NULL is fine */
void options_free(struct options *options);

/* At a reload: options that cannot change without a restart are set to what they are `now`; the names of those that would have changed
 * go to `told`, one by one. */
void options_keep(struct options *options, const struct options *now,
                  void (*told)(void *context, const char *name), void *context);

/* The values' grammar, also for fuzzing. `90`, `30s`, `500ms`, `2m`, `1h` to ms; `64k`, `10m`, `1g`, `4096` to bytes.
 * 0, or -1 when it is not of that form or does not fit. */
int options_parse_time(const char *text, int64_t *ms);
int options_parse_size(const char *text, int64_t *bytes);

void options_help(FILE *out); /* --help: grouped, in 80 columns */
void options_completion(FILE *out, enum completion_shell shell);
void options_manual(FILE *out); /* the OPTIONS section of gateway(1), mdoc */

#endif
