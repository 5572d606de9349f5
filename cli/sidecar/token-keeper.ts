import { type FSWatcher, watch } from "node:fs";
import { basename, dirname } from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import { describeDuration } from "../duration.ts";
import { replaceFile } from "../replace-file.ts";
import { type HeldToken, MAKE_ONE, readJoinTokenFile } from "./join-token-file.ts";

export interface TokenKeeperOptions {
  readonly file: string;
  readonly first: HeldToken;
  /** Asks for a token that replaces this one. */
  readonly renew: (token: string) => Promise<HeldToken>;
  /** Puts a token where Envoy takes it from. */
  readonly use: (token: HeldToken) => Promise<void>;
  readonly say: (message: string) => void;
  readonly now?: () => number;
}

const RETRY = { first: 1_000, longest: 60_000 };
/** From this part of a token's life on, a failure to renew it is told. */
const WARN_AT = 0.75;
const LONGEST_PAUSE = 2 ** 31 - 1;

/**
 * Keeps a sidecar's token fresh: renews it at half of its life, writes it back to its file so that a restart finds it,
 * and takes a newer one that somebody else puts there.
 */
export class TokenKeeper {
  readonly #options: TokenKeeperOptions;
  readonly #now: () => number;
  #held: HeldToken;
  #watcher: FSWatcher | undefined;
  #wake = new AbortController();
  #writable = true;

  constructor(options: TokenKeeperOptions) {
    this.#options = options;
    this.#held = options.first;
    this.#now = options.now ?? Date.now;
  }

  /** Resolves when `stopping` is aborted. Never rejects. */
  async run(stopping: AbortSignal): Promise<void> {
    const { file } = this.#options;
    try {
      this.#watcher = watch(dirname(file), { persistent: false }, (_, name) => {
        if (name === basename(file)) void this.#adoptFromFile();
      });
      this.#watcher.on("error", () => undefined);
    } catch (error) {
      this.#options.say(`the token file is not watched (${messageOf(error)}): a new token in it is taken at the next renewal`);
    }
    let failures = 0;
    while (!stopping.aborted) {
      const half = this.#held.issuedAt + (this.#held.expiresAt - this.#held.issuedAt) / 2;
      const retry = Math.min(RETRY.longest, RETRY.first * 2 ** Math.min(failures - 1, 10));
      const wait = failures === 0 ? half - this.#now() : retry;
      if (!(await this.#pause(wait, stopping))) {
        failures = 0;
        continue;
      }
      failures = (await this.#renew()) ? 0 : failures + 1;
    }
    this.#watcher?.close();
  }

  /** Whether the time has passed; false when another token came meanwhile, or the end. */
  async #pause(milliseconds: number, stopping: AbortSignal): Promise<boolean> {
    this.#wake = new AbortController();
    const signal = AbortSignal.any([stopping, this.#wake.signal]);
    return pause(Math.min(Math.max(milliseconds, 0), LONGEST_PAUSE), true, { signal, ref: false }).catch(() => false);
  }

  async #renew(): Promise<boolean> {
    const { renew, say, file } = this.#options;
    try {
      const renewed = await renew(this.#held.token);
      await this.#take(renewed);
      await this.#writeBack(renewed);
      return true;
    } catch (error) {
      const life = this.#held.expiresAt - this.#held.issuedAt;
      const left = this.#held.expiresAt - this.#now();
      if (left <= 0) {
        say(
          `the token has expired and cannot be renewed (${messageOf(error)}). Put a new one into ${file}, it is taken at once: ${MAKE_ONE}`,
        );
      } else if (left < life * (1 - WARN_AT)) {
        say(`the token expires in ${describeDuration(left)} and could not be renewed yet: ${messageOf(error)}`);
      }
      return false;
    }
  }

  async #take(token: HeldToken): Promise<void> {
    await this.#options.use(token);
    this.#held = token;
  }

  async #writeBack(token: HeldToken): Promise<void> {
    const { file, say } = this.#options;
    try {
      await replaceFile(file, `${token.token}\n`);
      this.#writable = true;
    } catch (error) {
      if (this.#writable) say(`the renewed token cannot be written to ${file} (${messageOf(error)}): a restart will need a new one`);
      this.#writable = false;
    }
  }

  async #adoptFromFile(): Promise<void> {
    const { file, say } = this.#options;
    try {
      const found = await readJoinTokenFile(file);
      if (found.token === this.#held.token || found.expiresAt <= this.#now()) return;
      if (found.namespace !== this.#held.namespace || found.pod !== this.#held.pod) {
        say(
          `the token in ${file} is now one of ${found.namespace}/${found.pod}: ignored, this is the sidecar of ${this.#held.namespace}/${this.#held.pod}`,
        );
        return;
      }
      await this.#take(found);
      say(
        `took the new token of ${found.namespace}/${found.pod} from ${file}; it expires in ${describeDuration(found.expiresAt - this.#now())}`,
      );
      this.#wake.abort();
    } catch {
      // A half-written file: the event of the rest follows, or the next renewal finds it.
    }
  }
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
