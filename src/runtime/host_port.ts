// The server's end of the messages to the host: calls with their answers, and what the host
// says unasked about each process. What a message means is decided by those who listen here.

import type { CageInfo, HostReading, RuntimeInfo } from "../api_types.ts";
import { AppError } from "../errors.ts";
import type { HostCallName, HostCalls, ToHost, ToServer } from "../host/messages.ts";

/** What the host says about one process that an instance asked for. */
export interface ProcessListener {
  onLines(lines: string[]): void;
  onExit(code: number, signal: string | null): void;
}

export interface HostPortOptions {
  post(message: ToHost): void;
  onRuntime(runtime: RuntimeInfo): void;
  onCage?(cage: CageInfo): void;
  onReading(reading: HostReading): void;
}

interface PendingCall {
  resolve(result: unknown): void;
  reject(error: AppError): void;
}

/** Asks the host and hands its messages to whom they concern. */
export class HostPort {
  readonly #options: HostPortOptions;
  readonly #pending = new Map<number, PendingCall>();
  readonly #listeners = new Map<number, ProcessListener>();
  #lastCall = 0;
  #lastProcess = 0;

  constructor(options: HostPortOptions) {
    this.#options = options;
  }

  /** Asks the host; rejects with the `AppError` that the host answered. */
  call<K extends HostCallName>(
    name: K,
    params: HostCalls[K]["params"],
  ): Promise<HostCalls[K]["result"]> {
    const call = ++this.#lastCall;
    const { promise, resolve, reject } = Promise.withResolvers<unknown>();
    this.#pending.set(call, { resolve, reject });
    this.post({ type: "call", call, name, params } as ToHost);
    return promise as Promise<HostCalls[K]["result"]>;
  }

  post(message: ToHost): void {
    this.#options.post(message);
  }

  /** Reserves the number under which the host reports about a process. */
  listen(listener: ProcessListener): number {
    const id = ++this.#lastProcess;
    this.#listeners.set(id, listener);
    return id;
  }

  /** Takes one message of the host; answers false for those that are not about calls or processes. */
  receive(message: ToServer): boolean {
    switch (message.type) {
      case "result":
        this.#take(message.call)?.resolve(message.result);
        return true;
      case "error":
        this.#take(message.call)?.reject(AppError.fromData(message.error));
        return true;
      case "lines":
        this.#listeners.get(message.id)?.onLines(message.lines);
        return true;
      case "exited": {
        const listener = this.#listeners.get(message.id);
        this.#listeners.delete(message.id);
        listener?.onExit(message.code, message.signal);
        return true;
      }
      case "runtime":
        this.#options.onRuntime(message.runtime);
        return true;
      case "cage":
        this.#options.onCage?.(message.cage);
        return true;
      case "reading":
        this.#options.onReading(message.reading);
        return true;
      default:
        return false;
    }
  }

  #take(call: number): PendingCall | undefined {
    const pending = this.#pending.get(call);
    this.#pending.delete(call);
    return pending;
  }
}
