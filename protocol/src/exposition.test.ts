import { describe, expect, it } from 'vitest';
import { processMetrics, renderMetrics } from './exposition.js';

describe('metrics as text', () => {
  it('tells help, type and samples, with what needs it escaped', () => {
    expect(
      renderMetrics([
        {
          name: 'gtx_agent_line_requests_total',
          help: 'Requests on a line.\nC:\\ too.',
          type: 'counter',
          labels: ['line'],
          samples: [{ labels: { line: 'C:\\a "b"\n' }, value: 3 }, { value: 0.5 }],
        },
        { name: 'gtx_agent_alerts_open', help: 'Open alerts.', type: 'gauge', labels: ['code'], samples: [] },
      ]),
    ).toBe(
      [
        '# HELP gtx_agent_line_requests_total Requests on a line.\\nC:\\\\ too.',
        '# TYPE gtx_agent_line_requests_total counter',
        'gtx_agent_line_requests_total{line="C:\\\\a \\"b\\"\\n"} 3',
        'gtx_agent_line_requests_total 0.5',
        '# HELP gtx_agent_alerts_open Open alerts.',
        '# TYPE gtx_agent_alerts_open gauge',
        '',
      ].join('\n'),
    );
  });

  it('tells of the process in seconds and bytes', () => {
    const metrics = processMetrics({
      cpu: { user: 1_500_000, system: 500_000 },
      memory: { rss: 7, heapUsed: 3, heapTotal: 4, external: 1 },
      startedSeconds: 1_700_000_000,
    });
    expect(renderMetrics(metrics)).toContain('\nprocess_cpu_seconds_total 2\n'.trimStart());
    expect(renderMetrics(metrics)).toContain('process_start_time_seconds 1700000000\n');
  });
});
