// Shows /openapi.json with Swagger UI. Where the server wants a key it is asked for once, and used for
// what is tried out. It is kept nowhere.
// @ts-check

/** @type {any} */
const swagger = /** @type {any} */ (globalThis).SwaggerUIBundle;

const form = /** @type {HTMLFormElement} */ (document.getElementById("key-form"));
const input = /** @type {HTMLInputElement} */ (document.getElementById("key"));
const problem = /** @type {HTMLElement} */ (document.getElementById("key-problem"));

form.addEventListener("submit", (event) => {
  event.preventDefault();
  void load(input.value.trim());
});

/** @param {string | null} key */
async function load(key) {
  const response = await fetch("/openapi.json", {
    headers: key === null ? {} : { authorization: `Bearer ${key}` },
  });
  const answer = await response.json();
  if (!response.ok) return ask(key === null ? "" : answer.error.message);
  form.hidden = true;
  show(answer, key);
}

/** @param {string} why */
function ask(why) {
  problem.textContent = why;
  form.hidden = false;
  input.focus();
}

/**
 * @param {object} spec
 * @param {string | null} key
 */
function show(spec, key) {
  const ui = swagger({
    spec,
    domNode: document.getElementById("docs"),
    deepLinking: true,
    docExpansion: "list",
    defaultModelsExpandDepth: 0,
    displayRequestDuration: true,
    tryItOutEnabled: true,
    // It would ask a server of its makers.
    validatorUrl: null,
    onComplete() {
      if (key !== null) ui.preauthorizeApiKey("bearer", key);
    },
  });
}

void load(null);
