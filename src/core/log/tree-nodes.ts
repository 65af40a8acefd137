/**
 * Which hashes of an RFC 6962 tree make a root or a proof. A *node* is a perfect subtree: `level` 0 is a leaf, and the
 * node covers the leaves from index * 2^level on. A *fold* is nodes side by side, the largest first, whose hashes are joined
 * from the right: every range that a root or proof needs is one. Sizes go to 2^53 - 1, so no bit operations here.
 */

export interface TreeNode {
  readonly level: number;
  readonly index: number;
}

export type Fold = readonly TreeNode[];

/** The largest power of two below `n` (n >= 2), and its exponent. */
export function splitPoint(n: number): { readonly k: number; readonly level: number } {
  let [k, level] = [1, 0];
  while (k * 2 < n) {
    k *= 2;
    level++;
  }
  return { k, level };
}

/** Of the leaves [low, high); `low` must be where such a range of a tree can begin. Empty when there are none. */
export function rangeFold(low: number, high: number): Fold {
  const nodes: TreeNode[] = [];
  for (let at = low; at < high;) {
    const { k, level } = splitPoint(high - at + 1);
    nodes.push({ level, index: at / k });
    at += k;
  }
  return nodes;
}

/** One fold for each hash of the inclusion proof, the leaf's neighbour first. */
export function inclusionFolds(index: number, size: number): Fold[] {
  const folds: Fold[] = [];
  let [low, high] = [0, size];
  while (low + 1 < high) {
    const middle = low + splitPoint(high - low).k;
    if (index < middle) {
      folds.push(rangeFold(middle, high));
      high = middle;
    } else {
      folds.push(rangeFold(low, middle));
      low = middle;
    }
  }
  return folds.toReversed();
}

/** One fold for each hash of the proof that the tree of `to` leaves begins with the tree of `from`; none from 0 or from itself. */
export function consistencyFolds(from: number, to: number): Fold[] {
  if (from === 0) return [];
  const folds: Fold[] = [];
  let [low, high] = [0, to];
  while (from !== high) {
    const middle = low + splitPoint(high - low).k;
    if (from <= middle) {
      folds.push(rangeFold(middle, high));
      high = middle;
    } else {
      folds.push(rangeFold(low, middle));
      low = middle;
    }
  }
  if (low !== 0) folds.push(rangeFold(low, high));
  return folds.toReversed();
}
