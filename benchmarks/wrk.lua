-- One line of JSON with what benchmarks/load.py reads; latencies in microseconds.
done = function(summary, latency, requests)
  local errors = summary.errors
  io.write(string.format(
    '\n{"requests": %d, "microseconds": %d, "p50": %d, "p90": %d, "p99": %d, "p99.9": %d, "max": %d, "errors": %d, "bad": %d}\n',
    summary.requests, summary.duration, latency:percentile(50), latency:percentile(90), latency:percentile(99),
    latency:percentile(99.9), latency.max, errors.connect + errors.read + errors.write + errors.timeout, errors.status
  ))
end
