/*
 * What the access log can say of a request: readers for the rows of access/access_fields.
 */
#ifndef ACCESS_ACCESS_REQUEST_H
#define ACCESS_ACCESS_REQUEST_H

#include "access/access_fields.h"

bool access_value_text(struct access_value *value, struct slice text); /* known, if it is not empty */
bool access_value_number(struct access_value *value, uint64_t number);

bool read_request_line(struct access_source *source, struct access_value *value);
bool read_method(struct access_source *source, struct access_value *value);
/* As OpenTelemetry has it: one that is in no RFC is "_OTHER", and the original. */
bool read_known_method(struct access_source *source, struct access_value *value);
bool read_original_method(struct access_source *source, struct access_value *value);
bool read_scheme(struct access_source *source, struct access_value *value);
bool read_target(struct access_source *source, struct access_value *value);
bool read_path(struct access_source *source, struct access_value *value);
bool read_path_info(struct access_source *source, struct access_value *value);
bool read_query(struct access_source *source, struct access_value *value);
bool read_protocol(struct access_source *source, struct access_value *value); /* HTTP/1.1 */
bool read_version(struct access_source *source, struct access_value *value);  /* 1.1 */
bool read_host(struct access_source *source, struct access_value *value);
bool read_server_address(struct access_source *source,
                         struct access_value *value); /* the host without its port */
bool read_server_port(struct access_source *source, struct access_value *value);
bool read_request_id(struct access_source *source, struct access_value *value);
bool read_user(struct access_source *source, struct access_value *value);
bool read_trace_id(struct access_source *source, struct access_value *value);
bool read_span_id(struct access_source *source, struct access_value *value);
bool read_trace_flags(struct access_source *source, struct access_value *value);

/* The first field of the argument's name. */
bool read_request_field(struct access_source *source, struct access_value *value);
/* The same as the application sees it: a proxy's as far as they are believed, repeated ones joined. */
bool read_environ_field(struct access_source *source, struct access_value *value);
bool read_environ_request_id(struct access_source *source, struct access_value *value);
bool read_environ_content_length(struct access_source *source, struct access_value *value);

#endif
