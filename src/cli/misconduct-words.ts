/** What a proof of misconduct proves, for people. By the kinds of `core/log/misconduct.ts`. */
export const misconductWords: Readonly<Record<string, string>> = {
  fork: 'it signed two different heads of one size',
  rewrite: 'it signed two different records at one place of its log',
  successors: 'it named two different keys to take over',
};
