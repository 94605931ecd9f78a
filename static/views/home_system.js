// Home's cards of the machine: what it has, how much of that is in use, and how that went lately.

import { html } from "htm/preact";
import { formatBytes, formatPercent, t } from "../i18n.js";
import { CopyButton } from "../parts/controls.js";
import { Meter, Sparkline } from "../parts/measures.js";
import { connecting, history, models, online, port, system } from "../store.js";

/** @import { ComponentChild } from "preact" */
/** @import { GpuInfo, SystemInfo } from "../../src/api_types.ts" */
/**
 * @typedef {object} MeasureProps
 * @property {string} id
 * @property {string} title
 * @property {string} value What is compared, in words.
 * @property {ComponentChild} [detail]
 * @property {number | null} share 0 to 1; null draws no meter.
 * @property {boolean} [isCalm] That it is full is no cause for alarm.
 * @property {(number | null)[]} [course] Of the last minutes.
 * @property {number} [most] What the top of the course stands for.
 */

export function SystemCard() {
  const info = system.value;
  return html`
    <section class="card home-system" aria-labelledby="home-system-title">
      <header class="home-card-head">
        <h2 id="home-system-title">${t("home.system")}</h2>
        ${info?.os?.name && html`<p class="muted">${info.os.name}</p>`}
      </header>
      ${info === null
        ? html`<p class="muted">${t("home.looking")}</p>`
        : html`<${Measures} info=${info} />`}
    </section>
  `;
}

/** @param {{ info: SystemInfo }} props */
function Measures({ info }) {
  const { cpu, memory, gpus, disk } = info;
  const readings = history.value;
  const used = usedOf(memory.total_bytes, memory.available_bytes);
  const cards = gpus.filter(({ unified }) => unified !== true);
  const kept = models.value.filter(({ source }) => source === "home")
    .reduce((sum, { size_bytes: size }) => sum + size, 0);
  return html`
    <div class="home-measures">
      <${Measure} id="memory" title=${t("home.memory")}
        value=${partOf(used, memory.total_bytes)}
        share=${shareOf(used, memory.total_bytes)}
        detail=${t("home.memory_free", { size: bytesOrUnknown(memory.available_bytes) })}
        course=${readings.map(({ usedBytes }) => usedBytes)} most=${memory.total_bytes ?? 0} />
      <${Measure} id="cpu" title=${t("home.cpu")}
        value=${cpu.usage === null ? t("home.unknown") : formatPercent(cpu.usage)}
        share=${cpu.usage}
        isCalm detail=${cpuDetail(cpu)}
        course=${readings.map(({ cpu: share }) => share)} most=${1} />
      ${cards.map((gpu, index) =>
        html`<${GpuMeasure} key=${index} gpu=${gpu} index=${index} isOnly=${cards.length === 1} />`
      )}
      ${cards.length === 0 && html`
        <${Measure} id="vram" title=${t("home.vram")} share=${null}
          value=${gpus[0]?.name ?? t("home.no_gpu")}
          detail=${t(gpus.length === 0 ? "home.no_gpu_text" : "home.unified")} />
      `}
      <${Measure} id="disk" title=${t("home.disk")}
        value=${disk.free_bytes === null
          ? t("home.unknown")
          : t("home.disk_free", { size: formatBytes(disk.free_bytes) })}
        share=${disk.free_bytes === null ? null : shareOf(kept, kept + disk.free_bytes)}
        detail=${kept === 0
          ? t("home.disk_no_models")
          : t("home.disk_models", { size: formatBytes(kept) })} />
    </div>
  `;
}

/** @param {{ gpu: GpuInfo, index: number, isOnly: boolean }} props */
function GpuMeasure({ gpu, index, isOnly }) {
  const used = usedOf(gpu.vram_total_bytes, gpu.vram_free_bytes);
  return html`
    <${Measure} id=${`vram-${index}`} title=${t("home.vram")}
      value=${partOf(used, gpu.vram_total_bytes)}
      share=${shareOf(used, gpu.vram_total_bytes)}
      detail=${gpu.name ?? ""}
      course=${isOnly ? history.value.map(({ vramUsedBytes }) => vramUsedBytes) : []}
      most=${gpu.vram_total_bytes ?? 0} />
  `;
}

/** @param {MeasureProps} props */
function Measure({ id, title, value, detail, share, isCalm = false, course = [], most = 0 }) {
  return html`
    <div class="home-measure" data-measure=${id}>
      <h3>${title}</h3>
      <p class="home-value">${value}</p>
      ${share !== null && html`
        <${Meter} value=${share} label=${`${title}: ${value}`}
          parts=${isCalm ? [{ value: share, label: "", tone: "accent" }] : []} />
      `}
      ${course.some((each) => each !== null) && html`
        <${Sparkline} values=${course} max=${most} label=${t("home.course", { title })} />
      `}
      ${detail && html`<p class="muted home-detail">${detail}</p>`}
    </div>
  `;
}

export function ServerCard() {
  const { version = null, runtime = null } = system.value ?? {};
  const isThere = online.value;
  return html`
    <section class="card home-server" aria-labelledby="home-server-title">
      <header class="home-card-head">
        <h2 id="home-server-title">${t("home.server")}</h2>
        <p class="home-online" data-online=${String(isThere)}>
          <svg class="dot" viewBox="0 0 12 12" aria-hidden="true"><circle cx="6" cy="6" r="5" /></svg>
          ${connecting.value
            ? t("home.connecting")
            : isThere
            ? t("home.online", { port: String(port.value) })
            : t("home.offline")}
        </p>
      </header>
      <div class="row home-address">
        <code>${location.origin}</code>
        <${CopyButton} text=${location.origin} />
      </div>
      ${isThere && html`
        <p class="muted">
          ${[
            version !== null && t("home.version", { version }),
            typeof runtime?.build === "number" && t("home.build", { build: String(runtime.build) }),
          ].filter(Boolean).join(" · ")}
        </p>
      `}
    </section>
  `;
}

/** @param {SystemInfo["cpu"]} cpu */
function cpuDetail(cpu) {
  const count = cpu.physical_cores ?? cpu.logical_cores;
  const cores = count === null ? null : t("home.cores", { count });
  return [cpu.model, cores].filter((each) => each !== null).join(" · ");
}

/**
 * `3.2 GB / 8 GB (40%)`
 *
 * @param {number | null} part
 * @param {number | null} whole
 */
export function partOf(part, whole) {
  if (part === null || whole === null) return t("home.unknown");
  const values = { part: formatBytes(part), whole: formatBytes(whole) };
  const share = shareOf(part, whole) ?? 0;
  // What is there does not look like nothing.
  if (share > 0 && share < 0.01) {
    return t("home.small_part_of", { ...values, percent: formatPercent(0.01) });
  }
  return t("home.part_of", { ...values, percent: formatPercent(share) });
}

/**
 * @param {number | null} part
 * @param {number | null} whole
 */
export function shareOf(part, whole) {
  return part === null || whole === null || whole <= 0
    ? null
    : Math.min(1, Math.max(0, part / whole));
}

/**
 * @param {number | null} total
 * @param {number | null} free
 */
function usedOf(total, free) {
  return total === null || free === null ? null : Math.max(0, total - free);
}

/** @param {number | null} bytes */
function bytesOrUnknown(bytes) {
  return bytes === null ? t("home.unknown") : formatBytes(bytes);
}
