#!/usr/bin/env bash
# What there is to see from outside, a line each. Needs curl and jq. Ends with 1 where something is unhealthy.
#
#   ./operations.sh
#   NOVITA_API_URL=https://gpu.example.com API_KEY=... ./operations.sh
set -euo pipefail

url=${NOVITA_API_URL:-http://localhost:3000}
call() { curl -sS --max-time 30 ${API_KEY:+-H "Authorization: Bearer $API_KEY"} "$@"; }

# Not -f here: with 503 the body says what is unwell.
health=$(call "$url/health")
metrics=$(call -f "$url/api/metrics")
instances=$(call -f "$url/api/instances?limit=100")

jq -r '"status: \(.status), up for \(.uptime) s, version \(.version)"' <<<"$health"
jq -r '.dependencies | to_entries[] | "\(.key): \(.value)"' <<<"$health"
jq -r '"requests: \(.requests.total), failed \(.requests.failed), \(.requests.averageResponseTime) ms"' <<<"$metrics"
jq -r '"instances: \(.instances.total), running \(.instances.running), creating \(.instances.creating), failed \(.instances.failed)"' <<<"$metrics"
jq -r '"jobs: \(.jobs.pending) pending, \(.jobs.processing) processing, \(.jobs.completed) completed, \(.jobs.failed) failed"' <<<"$metrics"
jq -r '"cache: \(.cache.hitRate * 100 | round) % hits"' <<<"$metrics"
jq -r '"memory: \(.system.memoryUsage.used) MB of \(.system.memoryUsage.total) MB"' <<<"$metrics"
jq -r '.instances[] | "\(.id) \(.name) \(.status)"' <<<"$instances"

# The exit code: every dependency is well.
jq -e '[.dependencies[] == "healthy"] | all' <<<"$health" >/dev/null
