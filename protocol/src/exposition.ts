/**
 * Metrics in Prometheus' text format 0.0.4, written out when asked for from counters that the parts keep
 * anyway: nothing is registered and nothing is allocated between two scrapes. For components that do without a
 * client library. Format: https://prometheus.io/docs/instrumenting/exposition_formats/
 */

export interface MetricSample {
  readonly labels?: Readonly<Record<string, string | number>>;
  readonly value: number;
}

export interface Metric {
  readonly name: string;
  readonly help: string;
  readonly type: 'counter' | 'gauge';
  /** Names of the labels that its samples have. */
  readonly labels: readonly string[];
  readonly samples: readonly MetricSample[];
}

/** The exposition of some metrics. One without samples still tells its name, help and type. */
export function renderMetrics(metrics: readonly Metric[]): string {
  const lines: string[] = [];
  for (const { name, help, type, samples } of metrics) {
    lines.push(`# HELP ${name} ${escaped(help)}`, `# TYPE ${name} ${type}`);
    for (const { labels, value } of samples) {
      const pairs = Object.entries(labels ?? {}).map(
        ([key, text]) => `${key}="${escaped(String(text)).replaceAll('"', '\\"')}"`,
      );
      lines.push(`${name}${pairs.length === 0 ? '' : `{${pairs.join(',')}}`} ${value}`);
    }
  }
  return `${lines.join('\n')}\n`;
}

const escaped = (text: string): string => text.replaceAll('\\', '\\\\').replaceAll('\n', '\\n');

/** What a Node.js process says of itself: `process.cpuUsage()`, `process.memoryUsage()`, its start in Unix seconds. */
export interface ProcessFigures {
  readonly cpu: { readonly user: number; readonly system: number };
  readonly memory: {
    readonly rss: number;
    readonly heapUsed: number;
    readonly heapTotal: number;
    readonly external: number;
  };
  readonly startedSeconds: number;
}

/** A metric of one value, without labels. */
export const singleMetric = (name: string, help: string, type: Metric['type'], value: number): Metric => ({
  name,
  help,
  type,
  labels: [],
  samples: [{ value }],
});

/** The process's own figures, by the names that Prometheus' client libraries have for them. */
export function processMetrics({ cpu, memory, startedSeconds }: ProcessFigures): Metric[] {
  return [
    singleMetric('process_cpu_seconds_total', 'Processor time.', 'counter', (cpu.user + cpu.system) / 1e6),
    singleMetric('process_resident_memory_bytes', 'Resident memory.', 'gauge', memory.rss),
    singleMetric(
      'process_start_time_seconds',
      'Start of the process, Unix seconds.',
      'gauge',
      startedSeconds,
    ),
    singleMetric('nodejs_heap_size_used_bytes', 'Heap in use.', 'gauge', memory.heapUsed),
    singleMetric('nodejs_heap_size_total_bytes', 'Heap reserved.', 'gauge', memory.heapTotal),
    singleMetric(
      'nodejs_external_memory_bytes',
      'Memory of objects outside the heap.',
      'gauge',
      memory.external,
    ),
  ];
}
