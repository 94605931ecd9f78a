// The 64 places that the scope lists, and which of them are taken.

import { AppError } from "../errors.ts";
import type { Place } from "../host/messages.ts";

/** Hands out the lowest free place, by its number. */
export class Places {
  readonly #places: readonly Place[];
  readonly #taken = new Set<number>();

  constructor(places: readonly Place[]) {
    this.#places = places;
  }

  take(): number {
    for (let place = 0; place < this.#places.length; place++) {
      if (this.#taken.has(place)) continue;
      this.#taken.add(place);
      return place;
    }
    throw new AppError(
      "overloaded",
      `Cannot load another model: all ${this.#places.length} places are taken. Stop one first`,
      { retryAfterSeconds: 10 },
    );
  }

  at(place: number): Place {
    return this.#places[place]!;
  }

  giveBack(place: number): void {
    this.#taken.delete(place);
  }
}
