// Rents GPUs over REST and waits until they can be used. Node 18 or newer, no packages.
//
//   node client.mjs my-train
//   NOVITA_API_URL=https://gpu.example.com API_KEY=... PAUSE=10 node client.mjs train-1 train-2 train-3

import { randomUUID } from "node:crypto";
import { setTimeout as sleep } from "node:timers/promises";

const baseUrl = (process.env.NOVITA_API_URL ?? "http://localhost:3000").replace(/\/+$/, "");
const pause = Number(process.env.PAUSE ?? 30) * 1000;
const most = 5;

// A request that failed without an answer, or with 429 or 5xx, is sent again. A create may be, too: under the same
// Idempotency-Key it is done once.
async function call(method, path, { body, key, tries = most } = {}) {
  const headers = { "Content-Type": "application/json" };
  if (process.env.API_KEY) headers.Authorization = `Bearer ${process.env.API_KEY}`;
  if (key) headers["Idempotency-Key"] = key;
  let response;
  try {
    response = await fetch(baseUrl + path, {
      method,
      headers,
      body: body && JSON.stringify(body),
      signal: AbortSignal.timeout(30_000),
    });
  } catch (error) {
    if (tries <= 1) throw error;
  }
  if (response?.ok) return response.json();
  const mayPass = !response || response.status === 429 || response.status >= 500;
  if (!mayPass || tries <= 1) throw new Error(`${response.status}: ${await response.text()}`);
  const asked = Number(response?.headers.get("retry-after") ?? 0);
  await sleep(Math.max(asked, 2 ** (most - tries)) * 1000);
  return call(method, path, { body, key, tries: tries - 1 });
}

async function create(name, productName = "RTX 4090 24GB", templateId = "pytorch-jupyter") {
  const body = { name, productName, templateId, gpuNum: 1, rootfsSize: 60 };
  const created = await call("POST", "/api/instances", { body, key: randomUUID() });
  console.log(`created: ${created.instanceId}, usually ready at ${created.estimatedReadyTime}`);
  return created.instanceId;
}

async function untilRunning(instanceId, timeout = 900_000) {
  const deadline = Date.now() + timeout;
  while (Date.now() < deadline) {
    const instance = await call("GET", `/api/instances/${instanceId}`);
    if (instance.status === "running") return instance;
    if (["failed", "stopped", "deleted"].includes(instance.status)) {
      throw new Error(`${instance.name} is ${instance.status}: ${instance.error?.message ?? instance.reason}`);
    }
    await sleep(pause);
  }
  throw new Error(`${instanceId} is not running after ${timeout / 1000} s`);
}

const names = process.argv.slice(2);
if (names.length === 0) {
  console.error("usage: node client.mjs NAME ...");
  process.exit(2);
}
try {
  console.log(`service: ${(await call("GET", "/health")).status}`);
  const ids = await Promise.all(names.map((name) => create(name)));
  for (const instance of await Promise.all(ids.map((id) => untilRunning(id)))) {
    console.log(`${instance.name}: ${instance.connectionDetails.ssh}, ${instance.connectionDetails.jupyter}`);
  }
  console.log(`running: ${(await call("GET", "/api/instances?status=running&limit=50")).total}`);
  console.log(`requests: ${(await call("GET", "/api/metrics")).requests.total}`);
} catch (error) {
  console.error(error.message);
  process.exit(1);
}
