#!/usr/bin/env bash
# Rents a GPU over REST and waits until it can be used, as a CI job would. Needs curl and jq.
#
#   ./create.sh my-train
#   NOVITA_API_URL=https://gpu.example.com API_KEY=... PAUSE=10 ./create.sh my-train
set -euo pipefail

name=${1:?usage: create.sh NAME}
url=${NOVITA_API_URL:-http://localhost:3000}
pause=${PAUSE:-30}

# -f: an answer of 400 or more ends the script.
call() { curl -fsS --max-time 30 -H "Content-Type: application/json" ${API_KEY:+-H "Authorization: Bearer $API_KEY"} "$@"; }

body=$(jq -n --arg name "$name" '{name: $name, productName: "RTX 4090 24GB", templateId: "pytorch-jupyter"}')
id=$(call "$url/api/instances" -H "Idempotency-Key: ci-$name-${BUILD_ID:-$$}" -d "$body" | jq -r .instanceId)
echo "created: $id"

deadline=$((SECONDS + 900))
while true; do
    instance=$(call "$url/api/instances/$id")
    status=$(jq -r .status <<<"$instance")
    case $status in
        running) break ;;
        failed | stopped | deleted)
            echo "$name is $status: $(jq -c .error <<<"$instance")" >&2
            exit 1
            ;;
    esac
    if ((SECONDS >= deadline)); then
        echo "$name is still $status after 900 s" >&2
        exit 1
    fi
    sleep "$pause"
done
echo "status: $status"
jq -r '"ssh: \(.connectionDetails.ssh)"' <<<"$instance"
