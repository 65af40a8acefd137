/** `notebook.ipynb`, nbformat 4.5: the tidy table in pandas and nothing else; plots where matplotlib is there. */

interface Cell {
  readonly type: 'markdown' | 'code';
  readonly source: string;
}

export interface NotebookOptions {
  readonly title: string;
  /** `metrics.csv`, beside the notebook. */
  readonly table: 'run' | 'sweep';
}

export function renderNotebook({ title, table }: NotebookOptions): string {
  const cells = [
    {
      type: 'markdown',
      source: `# ${title}\n\nReads \`metrics.csv\` beside it. Needs pandas; draws where matplotlib is installed.`,
    },
    ...(table === 'run' ? RUN : SWEEP),
  ] satisfies Cell[];
  const notebook = {
    cells: cells.map(({ type, source }, index) => ({
      cell_type: type,
      id: `cell-${index}`,
      metadata: {},
      ...(type === 'code' && { execution_count: null, outputs: [] }),
      source: source.split(/(?<=\n)/),
    })),
    metadata: {
      kernelspec: { display_name: 'Python 3', language: 'python', name: 'python3' },
      language_info: { name: 'python' },
    },
    nbformat: 4,
    nbformat_minor: 5,
  };
  return `${JSON.stringify(notebook, null, 1)}\n`;
}

const PLOTS = `try:
    import matplotlib.pyplot
    draw = True
except ImportError:
    draw = False
    print("no matplotlib: tables only")`;

const RUN: readonly Cell[] = [
  {
    type: 'code',
    source: `import json
import pandas as pd
${PLOTS}

metrics = pd.read_csv("metrics.csv")
metrics["minutes"] = metrics["time_us"] / 60e6
with open("summary.json", encoding="utf-8") as file:
    summary = json.load(file)
print(summary["name"], "seed", summary["seed"], "run", summary["run"], summary["verdict"])
metrics.groupby(["metric", "unit"])["value"].describe()`,
  },
  {
    type: 'code',
    source: `# Over time: a value holds until the next one.
series = metrics[metrics["metric"].isin(summary["kinds"]["series"]) & metrics["node"].isna()]
for name, rows in series.groupby("metric"):
    table = rows.pivot_table(index="minutes", columns=rows["group"].fillna("all"), values="value")
    if draw:
        axes = table.plot(drawstyle="steps-post", title=name)
        for fault in summary["faults"]:
            for span in fault["intervals"]:
                axes.axvspan(span["from"] / 60e6, span["to"] / 60e6, color="grey", alpha=0.2)
        matplotlib.pyplot.show()
    else:
        print(name, table.describe(), sep="\\n")`,
  },
  {
    type: 'code',
    source: `# How long things took: inf never got there; "METRIC:censored" holds bounds, not times.
for kind in summary["kinds"]["times"]:
    values = metrics.loc[metrics["metric"] == kind["metric"], "value"].sort_values()
    if values.empty:
        continue
    reached = values[values < float("inf")]
    share = pd.Series(range(1, len(reached) + 1), index=reached.to_numpy(), dtype=float) / len(values)
    if draw and len(share):
        share.plot(drawstyle="steps-post", title=f"{kind['metric']} ({kind['unit']})", ylim=(0, 1))
        matplotlib.pyplot.show()
    print(kind["metric"], "median", values.quantile(0.5, interpolation="lower"), kind["unit"], "n", len(values))`,
  },
];

const SWEEP: readonly Cell[] = [
  {
    type: 'code',
    source: `import pandas as pd
${PLOTS}

metrics = pd.read_csv("metrics.csv")
swept = [column for column in metrics.columns if column.startswith("/")]
metrics.groupby(swept + ["metric", "unit"] if swept else ["metric", "unit"])["value"].describe()`,
  },
  {
    type: 'code',
    source: `# The run is the unit: medians over runs against each thing that was varied.
for column in swept:
    order = metrics[column].drop_duplicates()
    for name, rows in metrics.groupby("metric"):
        table = rows.groupby(column)["value"].median().reindex(order)
        if draw:
            table.plot(marker="o", title=name)
            matplotlib.pyplot.show()
        else:
            print(name, table, sep="\\n")`,
  },
];
