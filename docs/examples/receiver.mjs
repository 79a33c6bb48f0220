// Receives webhooks and believes only those that are signed, fresh and new. Node 18 or newer, no packages.
//
//   WEBHOOK_SECRET=whsec_... node receiver.mjs
//
// `/webhook` verifies as Standard Webhooks says; `/older` verifies the older `X-Signature`, for receivers that have always
// done so. While the secret changes, WEBHOOK_SECRET_OLD is accepted as well.

import { createHmac, timingSafeEqual } from "node:crypto";
import { createServer } from "node:http";

const secrets = [process.env.WEBHOOK_SECRET, process.env.WEBHOOK_SECRET_OLD].filter(Boolean);
const tolerance = 5 * 60; // seconds
const largest = 64 * 1024; // bytes

// Standard Webhooks: id, time and body are signed. None can be changed, nothing old can come again.
function verify(headers, body) {
  const { "webhook-id": id, "webhook-timestamp": time, "webhook-signature": given = "" } = headers;
  if (!(Math.abs(Date.now() / 1000 - Number(time)) <= tolerance)) throw new Error("too old or from the future");
  const signed = Buffer.concat([Buffer.from(`${id}.${time}.`), body]);
  const expected = secrets.map((secret) => `v1,${hmac(key(secret), signed).toString("base64")}`);
  compare(given.split(" "), expected);
}

// The body alone is signed. The time is not: whoever has seen a request can send it again.
function verifyOlder(headers, body) {
  compare([headers["x-signature"] ?? ""], secrets.map((secret) => `sha256=${hmac(secret, body).toString("hex")}`));
}

const key = (secret) => (secret.startsWith("whsec_") ? Buffer.from(secret.slice(6), "base64") : secret);
const hmac = (secret, message) => createHmac("sha256", secret).update(message).digest();

function compare(given, expected) {
  const fits = (a, b) => a.length === b.length && timingSafeEqual(Buffer.from(a), Buffer.from(b));
  if (!given.some((a) => expected.some((b) => fits(a, b)))) throw new Error("the signature does not fit");
}

// Your own work. It must be done when 200 is answered, or be safely written down.
async function handle(event) {
  let detail = event.reason ?? "";
  if (["instance.ready", "instance.started"].includes(event.event)) detail = event.instance.connectionDetails.ssh;
  if (event.event === "instance.failed") detail = event.error.code;
  console.log(event.event, event.instanceId, detail);
}

const seen = new Set(); // for more than one process, or a restart: a table with a unique column
const checks = { "/webhook": verify, "/older": verifyOlder };

async function receive(request) {
  const parts = [];
  let size = 0;
  for await (const part of request) {
    size += part.length;
    if (size <= largest) parts.push(part);
  }
  const body = Buffer.concat(parts); // as it came: what JSON.parse makes of it cannot be verified any more
  try {
    checks[request.url](request.headers, body);
  } catch (error) {
    console.log("refused:", error.message);
    return 401;
  }
  // The same over all attempts: delivery is at least once.
  const id = request.headers["webhook-id"];
  if (!seen.has(id)) {
    await handle(JSON.parse(body));
    seen.add(id);
  }
  return 200;
}

if (secrets.length === 0) {
  console.error("WEBHOOK_SECRET is not set");
  process.exit(1);
}
const server = createServer(async (request, response) => {
  const status = await receive(request).catch((error) => (console.error(error), 500));
  response.writeHead(status, { "Content-Type": "application/json" });
  response.end(JSON.stringify({ received: status === 200 }));
});
server.listen(Number(process.env.PORT ?? 8080), "127.0.0.1", () => {
  console.log(`listening at http://127.0.0.1:${server.address().port}/webhook`);
});
