/**
 * Under what a node keeps its beliefs. Another policy or upstream is another key, and evaluated anew: what a publisher
 * that was voted out has decided does not outlive the policy that trusted it.
 */
export interface PolicyFacts {
  readonly upstream: string;
  readonly k: number;
  /** Full verifier keys: a name may get another key. */
  readonly keys: readonly string[];
  /** A person's word that a slot counts again in spite of this proof of misconduct (its digest). */
  readonly pardons?: readonly string[];
}

export function policyKey({ upstream, k, keys, pardons = [] }: PolicyFacts): string {
  return JSON.stringify([upstream, k, [...new Set(keys)].sort(), [...new Set(pardons)].sort()]);
}
