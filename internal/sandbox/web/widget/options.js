// The origin of this script. The Link API is there too, unless the host page names
// another base. The page's own origin is unknown in a sandboxed frame.
const SCRIPT = document.currentScript ?? document.querySelector('script[src*="/smile.v"]');
const HOME = new URL(SCRIPT?.src || document.baseURI).origin;

// The options and their defaults. A value of another type is ignored with a
// warning.
const DEFAULTS = {
  userToken: "",
  templateId: "",
  apiHost: "",
  companyName: "",
  topProviders: [],
  providers: [],
  providerTypes: [],
  enableSearchBar: true,
  enableTypeBar: true,
  enableUpload: false,
  enableConsentPage: true,
  enableSampleModel: false,
};

const CALLBACKS = [
  "onAccountCreated", "onAccountConnected", "onAccountRemoved", "onAccountError",
  "onTokenExpired", "onClose", "onUploadsCreated", "onUploadsRemoved", "onUIEvent",
];

const MOST_TOP_PROVIDERS = 10;

function kindOf(value) {
  return Array.isArray(value) ? "array" : typeof value;
}

function readOptions(given = {}) {
  const options = {};
  for (const [name, usual] of Object.entries(DEFAULTS)) {
    options[name] = accepted(given, name, kindOf(usual)) ?? usual;
  }
  for (const name of CALLBACKS) {
    options[name] = accepted(given, name, "function") ?? (() => {});
  }
  options.topProviders = options.topProviders.slice(0, MOST_TOP_PROVIDERS);
  options.apiHost = (options.apiHost || `${HOME}/v1`).replace(/\/+$/, "");
  return options;
}

function accepted(given, name, kind) {
  const value = given[name] ?? undefined;
  if (value === undefined || kindOf(value) === kind) {
    return value;
  }
  console.warn(`SmileLinkModal: option ${name} must be of type ${kind}`);
  return undefined;
}
