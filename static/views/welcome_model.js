// The second step of the first visit: the model that suits this computer, and its way here.

import { html } from "htm/preact";
import { useEffect, useState } from "preact/hooks";
import { api, ApiError, segment } from "../api.js";
import { formatBytes, formatDuration, formatPercent, formatSpeed, language, t } from "../i18n.js";
import { Button } from "../parts/controls.js";
import { Progress } from "../parts/measures.js";
import { BadgeMark, ErrorNote } from "../parts/words.js";
import { downloads, models } from "../store.js";
import { badgeReason, errorText, languageName, speedWord } from "../texts.js";
import { welcomeChoice } from "./welcome_choice.js";

/** @import { CatalogueRow, DownloadRow } from "../../src/api_types.ts" */
/** @import { Offer } from "./welcome_choice.js" */

const MOST_LANGUAGES = 4;

/** @param {{ onTake: (model: string) => void }} props */
export function ModelStep({ onTake }) {
  const { rows, error, reload } = useCatalogue();
  const [wantsSmaller, setWantsSmaller] = useState(false);
  if (error !== null) return html`<${ErrorNote} error=${error} onRetry=${reload} />`;
  if (rows === null) {
    return html`
      <p role="status">${t("welcome.model.looking")}</p>
      <${Progress} value=${null} label=${t("welcome.model.looking")} />
    `;
  }
  const { best, smaller } = welcomeChoice(rows, { language: language.value });
  if (best === null) return html`<p>${t("welcome.model.none")}</p>`;
  const offer = wantsSmaller && smaller !== null ? smaller : best;
  return html`
    <p>${t("welcome.model.text")}</p>
    <${OfferCard} key=${offer.row.id} offer=${offer} onTake=${onTake} />
    ${smaller !== null && html`
      <p class="welcome-other">
        ${t(offer === best ? "welcome.model.slow_net" : "welcome.model.rather_best")}${" "}
        <${Button} kind="quiet" onClick=${() => setWantsSmaller(offer === best)}>
          ${otherText(offer === best ? smaller : best)}
        <//>
      </p>
    `}
  `;
}

/** @param {{ offer: Offer, onTake: (model: string) => void }} props */
function OfferCard({ offer, onTake }) {
  const { row, file } = offer;
  const download = downloads.value.find((each) =>
    each.repo === row.repo && each.file === file.file
  );
  const id = download?.model ?? file.id;
  const isHere = row.installed || download?.state === "done" ||
    models.value.some((model) => model.id === id && !model.builtin);
  const isOnItsWay = download !== undefined;
  useEffect(() => {
    if (isHere || isOnItsWay) onTake(id);
  }, [isHere, isOnItsWay, id]);
  return html`
    <article class="welcome-offer stack" data-model=${row.id}>
      <header class="row"><h3>${row.name}</h3><${BadgeMark} badge=${row.badge} best=${row
        .best} /></header>
      ${row.badge !== null && html`<p>${badgeReason(row.badge)}</p>`}
      <dl class="welcome-facts">
        <div class="welcome-fact">
          <dt>${t("welcome.model.size")}</dt><dd><strong>${formatBytes(
            file.size_bytes,
          )}</strong></dd>
        </div>
        <${Speed} value=${row.fit?.tokens_per_second ?? null} />
        <div class="welcome-fact">
          <dt>${t("welcome.model.languages")}</dt><dd><strong>${languagesText(row)}</strong></dd>
        </div>
      </dl>
      ${isHere
        ? html`<p class="welcome-done" role="status">${t("welcome.model.here")}</p>`
        : download === undefined
        ? html`
          <${Button} kind="primary" icon="download" class="welcome-take" onClick=${() =>
            take(offer)}>
            ${t("welcome.model.take", { size: formatBytes(file.size_bytes) })}
          <//>
        `
        : html`<${Arrival} download=${download} />`}
    </article>
  `;
}

/** @param {{ value: number | null }} props */
function Speed({ value }) {
  if (value === null) return null;
  return html`
    <div class="welcome-fact">
      <dt>${t("welcome.model.speed")}</dt>
      <dd><strong>${speedWord(value)}</strong> <span class="muted">${formatSpeed(value)}</span></dd>
    </div>
  `;
}

/** @param {{ download: DownloadRow }} props */
function Arrival({ download }) {
  const { id, state, bytes_total: total, bytes_done: done, error } = download;
  const { bytes_per_second: speed, seconds_left: left } = download;
  const share = total === null || total === 0 ? null : done / total;
  const resume = () => api.post(`/admin/downloads/${segment(id)}/resume`);
  if (state === "failed" && error !== null) {
    return html`
      <${ErrorNote} error=${error} onRetry=${resume} />
      <p class="muted">${t("welcome.model.meanwhile")}</p>
    `;
  }
  return html`
    <div class="stack welcome-arrival" data-state=${state}>
      <${Progress} value=${state === "verifying" ? null : share} label=${t(
        "welcome.model.arriving",
      )} />
      <p role="status" class="visually-hidden">${t(`welcome.arrival.${state}`)}</p>
      <p class="row">
        <strong>${share === null ? t(`welcome.arrival.${state}`) : formatPercent(share)}</strong>
        ${share !== null && state !== "downloading" &&
          html`<span>${t(`welcome.arrival.${state}`)}</span>`}
        ${total !== null &&
          html`<span class="muted">${formatBytes(done)} / ${formatBytes(total)}</span>`}
        ${state === "downloading" && speed > 0 && html`
          <span class="muted">${t("welcome.per_second", { size: formatBytes(speed) })}</span>
        `}
        ${state === "downloading" && left !== null && html`
          <span class="muted">${t("welcome.time_left", { time: formatDuration(left) })}</span>
        `}
        ${state === "paused" &&
          html`<${Button} icon="play" onClick=${resume}>${t("welcome.resume")}<//>`}
      </p>
      ${state === "waiting" && error !== null && html`<p>${errorText(error)}</p>`}
      <p class="muted">${t("welcome.model.meanwhile")}</p>
    </div>
  `;
}

/** @param {Offer} offer */
async function take({ row, file }) {
  // Its row comes with the events.
  await api.post("/admin/downloads", { repo: row.repo, file: file.file });
}

/** @param {Offer} offer */
function otherText({ row, file }) {
  return t("welcome.model.other", { model: row.name, size: formatBytes(file.size_bytes) });
}

/** The user's own first. @param {CatalogueRow} row */
function languagesText({ languages }) {
  const own = language.value;
  const sorted = [
    ...languages.filter((code) => code === own),
    ...languages.filter((code) => code !== own),
  ];
  const names = sorted.slice(0, MOST_LANGUAGES).map(languageName).join(", ");
  const count = languages.length - MOST_LANGUAGES;
  return count > 0 ? t("welcome.model.more_languages", { languages: names, count }) : names;
}

function useCatalogue() {
  const [rows, setRows] = useState(/** @type {CatalogueRow[] | null} */ (null));
  const [error, setError] = useState(/** @type {ApiError | null} */ (null));
  const reload = async () => {
    try {
      setError(null);
      setRows(await api.get("/admin/catalogue"));
    } catch (caught) {
      if (!(caught instanceof ApiError)) throw caught;
      setError(caught);
    }
  };
  useEffect(() => void reload(), []);
  return { rows, error, reload };
}
