// Home: the one thing to do next, this computer, what the models take of it, and what runs now.

import { html } from "htm/preact";
import { formatDuration, formatPercent, t } from "../i18n.js";
import { ErrorNote } from "../parts/words.js";
import { Progress } from "../parts/measures.js";
import { hrefOf } from "../router.js";
import { chatModels, connecting, downloads, online, system } from "../store.js";
import { ModelMemory, RunningModels } from "./home_models.js";
import { nextStep } from "./home_next_step.js";
import { ServerCard, SystemCard } from "./home_system.js";

/** @import { DownloadRow } from "../../src/api_types.ts" */
/** @import { NextStep } from "./home_next_step.js" */

export function HomeView() {
  return html`
    <section class="view home">
      <h1 tabindex="-1">${t("home.title")}</h1>
      <${NextStepCard} />
      <div class="home-columns">
        <div class="stack">
          <${SystemCard} />
          <${ServerCard} />
        </div>
        <div class="stack">
          <${ModelMemory} />
          <${RunningModels} />
        </div>
      </div>
    </section>
  `;
}

function NextStepCard() {
  // Of a server that is away the shell tells already.
  if (connecting.value || !online.value) return null;
  const step = nextStep({
    system: system.value,
    chatModels: chatModels.value,
    downloads: downloads.value,
  });
  const values = { model: step.kind === "talk" ? step.model.id : "" };
  return html`
    <section class="card home-next" data-step=${step.kind} aria-labelledby="home-next-title">
      <div class="home-next-words">
        <h2 id="home-next-title">${t(`home.next.${step.kind}`, values)}</h2>
        <p>${t(`home.next.${step.kind}.text`)}</p>
        <${Detail} step=${step} />
      </div>
      <${Ways} step=${step} />
    </section>
  `;
}

/** @param {{ step: NextStep }} props */
function Detail({ step }) {
  switch (step.kind) {
    case "no_engine":
      return step.error && html`<${ErrorNote} error=${step.error} />`;
    case "engine_on_its_way":
      return html`<${Progress} value=${step.progress} label=${t("home.next.engine_on_its_way")} />`;
    case "download_stuck":
      return step.download.error && html`<${ErrorNote} error=${step.download.error} />`;
    case "model_on_its_way":
      return html`<${DownloadProgress} download=${step.download} />`;
    default:
      return null;
  }
}

/** @param {{ download: DownloadRow }} props */
function DownloadProgress({ download }) {
  const { bytes_total: total, bytes_done: done, seconds_left: left, model, file } = download;
  const share = total === null || total === 0 ? null : done / total;
  return html`
    <div class="home-download">
      <${Progress} value=${share} label=${model ?? file} />
      <p class="muted">
        <span class="home-name">${model ?? file}</span>${" "}
        ${[
          share !== null && formatPercent(share),
          left !== null && t("home.time_left", { time: formatDuration(left) }),
        ].filter(Boolean).map((each) => `· ${each}`).join(" ")}
      </p>
    </div>
  `;
}

/** @param {{ step: NextStep }} props */
function Ways({ step }) {
  switch (step.kind) {
    case "talk":
      return html`
        <div class="row">
          <a class="button primary" href=${hrefOf("chat", step.model.id)}>${t("home.go.chat")}</a>
          <a class="button quiet" href=${hrefOf("models")}>${t("home.go.models")}</a>
        </div>
      `;
    case "get_a_model":
      return html`
        <div class="row">
          <a class="button primary" href=${hrefOf("get")}>${t("home.go.get")}</a>
          <a class="button quiet" href=${hrefOf("welcome")}>${t("home.go.welcome")}</a>
        </div>
      `;
    case "model_on_its_way":
    case "download_stuck":
      return html`
        <div class="row">
          <a class="button primary" href=${hrefOf("get")}>${t("home.go.download")}</a>
        </div>
      `;
    case "no_engine":
      return html`
        <div class="row">
          <a class="button" href=${hrefOf("settings")}>${t("shell.nav.settings")}</a>
          <a class="button" href=${hrefOf("logs")}>${t("home.go.logs")}</a>
        </div>
      `;
    default:
      return null;
  }
}
