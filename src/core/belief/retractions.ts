/**
 * What publishers took back. One is enough to remove, so the power is bounded: for a subject at most a day, then not
 * again within a week unless a second one does; so many subjects at once and in a week; and the user can override.
 * Times are this node's: a `since` can only make a retraction end sooner.
 */
import { limits } from '../limits.ts';

export interface Retraction {
  readonly subject: string;
  readonly reason: string;
  readonly since: number;
}

export interface RetractionEpisode {
  readonly subject: string;
  readonly reason: string;
  /** In force for a day from here. */
  readonly start: number;
  /** In the newest record. */
  readonly listed: boolean;
  /** Came within a week of an earlier end: in force only beside a second publisher's. */
  readonly again: boolean;
  /** The latest moment at which one of the same subject ended; undefined before the first end. */
  readonly ended: number | undefined;
}

export type RetractionAlarm = 'too-many' | 'too-many-in-a-week';

export class Retractions {
  readonly #slots = new Map<string, Map<string, RetractionEpisode>>();
  readonly #overridden = new Set<string>();

  /** The retractions of the slot's newest record. An alarm says that all (or the new ones) of it are ignored. */
  accept(slot: string, listed: readonly Retraction[], now: number): RetractionAlarm | undefined {
    const episodes = this.#episodes(slot);
    const tooMany = listed.length > limits.belief.retractions;
    const wanted = new Map<string, Retraction>();
    if (!tooMany) for (const retraction of listed) wanted.set(retraction.subject, retraction);
    for (const episode of episodes.values()) {
      if (episode.listed && !wanted.has(episode.subject)) episodes.set(episode.subject, close(episode, now));
      else if (!episode.listed && (episode.ended ?? 0) + limits.belief.retractAgain <= now)
        episodes.delete(episode.subject);
    }
    let alarm: RetractionAlarm | undefined = tooMany ? 'too-many' : undefined;
    for (const retraction of wanted.values()) {
      const before = episodes.get(retraction.subject);
      if (before?.listed === true) continue;
      if (before === undefined && episodes.size >= limits.belief.retractedSubjects)
        alarm = 'too-many-in-a-week';
      else episodes.set(retraction.subject, open(retraction, before, now));
    }
    return alarm;
  }

  /** The reason why the subject is not served, of whoever retracts it; undefined when nobody may. */
  inForce(subject: string, now: number): { readonly slot: string; readonly reason: string } | undefined {
    if (this.#overridden.has(subject)) return undefined;
    const listing = [...this.#slots].flatMap(([slot, episodes]) => {
      const episode = episodes.get(subject);
      return episode?.listed === true ? [{ slot, episode }] : [];
    });
    for (const { slot, episode } of listing) {
      if (now >= episode.start + limits.belief.retractionLife) continue;
      if (!episode.again || listing.length > 1) return { slot, reason: episode.reason };
    }
    return undefined;
  }

  /** The user's word goes before every publisher's. */
  override(subject: string, overridden: boolean): void {
    if (overridden) this.#overridden.add(subject);
    else this.#overridden.delete(subject);
  }

  /** After misconduct. */
  exclude(slot: string): void {
    this.#slots.delete(slot);
  }

  kept(slot: string): RetractionEpisode[] {
    return [...(this.#slots.get(slot)?.values() ?? [])];
  }

  restore(slot: string, episodes: readonly RetractionEpisode[]): void {
    this.#slots.set(slot, new Map(episodes.map((episode) => [episode.subject, episode])));
  }

  #episodes(slot: string): Map<string, RetractionEpisode> {
    let episodes = this.#slots.get(slot);
    if (episodes === undefined) this.#slots.set(slot, (episodes = new Map<string, RetractionEpisode>()));
    return episodes;
  }
}

/** An end never moves back: an episode that says it began a week ago must not make room for the next one. */
function close(episode: RetractionEpisode, now: number): RetractionEpisode {
  const ended = Math.min(now, episode.start + limits.belief.retractionLife);
  return { ...episode, listed: false, ended: Math.max(ended, episode.ended ?? ended) };
}

function open(
  { subject, reason, since }: Retraction,
  before: RetractionEpisode | undefined,
  now: number,
): RetractionEpisode {
  const again = before?.ended !== undefined && now < before.ended + limits.belief.retractAgain;
  return { subject, reason, start: Math.min(since, now), listed: true, again, ended: before?.ended };
}
