// A small application: it creates a user for a customer, and fetches the data of each account that is connected. It needs Node 20
// and nothing else. The scenario next to it tests it.
import { createHmac, timingSafeEqual } from "node:crypto";
import { createServer } from "node:http";

const { SMILE_BASE_URL: base, SMILE_API_KEY: key, SMILE_API_SECRET: secret } = process.env;
const webhookSecret = "a little secret";

async function smile(method, path, body) {
  for (let attempt = 1; ; attempt++) {
    const response = await fetch(base + path, {
      method,
      headers: { Authorization: `Basic ${btoa(`${key}:${secret}`)}`, "Content-Type": "application/json" },
      body: body && JSON.stringify(body),
    });
    const { data, message } = await response.json();
    if (response.ok) return data;
    if (method !== "GET" || response.status < 500 || attempt === 3) throw new Error(`${method} ${path}: ${response.status} ${message}`);
  }
}

function genuine(signature, body) {
  const expected = createHmac("sha512", webhookSecret).update(body).digest("hex");
  return signature?.length === expected.length && timingSafeEqual(Buffer.from(signature), Buffer.from(expected));
}

const server = createServer(async (request, response) => {
  const body = Buffer.concat(await request.toArray());
  if (!genuine(request.headers["smile-signature"], body)) return response.writeHead(401).end();
  response.writeHead(204).end();
  const { type, data } = JSON.parse(body);
  if (type === "TASK_FINISHED") {
    const { items } = await smile("GET", `/contributions?userId=${data.userId}&size=10`);
    console.log(`customer 42 has ${items.length} contributions`);
  }
});

server.listen(0, "127.0.0.1", async () => {
  await smile("POST", "/webhooks", {
    name: "app", url: `http://127.0.0.1:${server.address().port}/`, eventTypes: ["ALL_EVENTS"], active: true, secret: webhookSecret,
  });
  await smile("POST", "/users", { externalMetadata: { customer: "42" } });
});
