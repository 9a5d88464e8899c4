// Gets a link token from the operator's application API: node link-token.mjs NAMESPACE USER
// A backend does the same in the handler of the request with which its frontend asks for the widget.
import { readFile } from "node:fs/promises";
import { request } from "node:https";
import { text } from "node:stream/consumers";

const { SMILE_API_URL, SMILE_CA_FILE, SMILE_TOKEN_FILE } = process.env;

export async function linkToken(namespace, user) {
  const ca = await readFile(SMILE_CA_FILE);
  const bearer = (await readFile(SMILE_TOKEN_FILE, "utf8")).trim(); // for each call: Kubernetes replaces its content
  const path = ["v1", "namespaces", namespace, "smileusers", user, "token"].map(encodeURIComponent).join("/");
  const response = await new Promise((resolve, reject) => {
    request(new URL(path, SMILE_API_URL), {
      method: "POST",
      ca,
      headers: { Authorization: `Bearer ${bearer}` },
      signal: AbortSignal.timeout(12_000),
    })
      .on("response", resolve)
      .on("error", reject)
      .end();
  });
  const body = JSON.parse(await text(response));
  if (response.statusCode !== 201) {
    const { "retry-after": retryAfter } = response.headers;
    throw new Error(`no link token: ${response.statusCode} ${body.reason} (Retry-After: ${retryAfter}): ${body.detail}`);
  }
  return body;
}

const [namespace, user] = process.argv.slice(2);
linkToken(namespace, user).then(
  (token) => console.log(JSON.stringify(token)),
  (error) => {
    console.error(error.message);
    process.exitCode = 1;
  },
);
