-- Makes wrk end with one line of JSON, so that nobody has to read its prose.
function done(summary, latency, requests)
   local errors = summary.errors
   io.write(string.format(
      '\n{"requests": %d, "seconds": %f, "p50": %f, "p99": %f, "bytes": %d, "errors": ' ..
         '{"connect": %d, "read": %d, "write": %d, "status": %d, "timeout": %d}}\n',
      summary.requests, summary.duration / 1e6, latency:percentile(50), latency:percentile(99), summary.bytes,
      errors.connect, errors.read, errors.write, errors.status, errors.timeout))
end
