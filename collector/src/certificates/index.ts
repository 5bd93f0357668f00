export { type CertificatesConfig, CertificatesIssuer, type CertificatesMode } from './issuer.js';
export { certificatesMetrics, type IssuerObserver } from './metrics.js';
