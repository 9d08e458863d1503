/**
 * Reports as scanners write them, cut to a few entries: Trivy's schema version 2 (aquasecurity/trivy, `pkg/types/report.go`),
 * Grype's JSON (anchore/grype, `grype/presenter/models`), Clair's VulnerabilityReport (quay/clair, `httptransport/types/v1`).
 */

export const TRIVY = {
  SchemaVersion: 2,
  CreatedAt: '2024-05-02T10:11:12.131415Z',
  ArtifactName: 'alpine:3.12',
  ArtifactType: 'container_image',
  Metadata: {
    OS: { Family: 'alpine', Name: '3.12.9', EOSL: true },
    ImageID: 'sha256:b0925e0819214cd29937af66dbaf0e6eb5a9a4ddcd2cc5a9cd8aa12e5ad3cb2e',
    RepoTags: ['alpine:3.12'],
  },
  Results: [
    {
      Target: 'alpine:3.12 (alpine 3.12.9)',
      Class: 'os-pkgs',
      Type: 'alpine',
      Vulnerabilities: [
        {
          VulnerabilityID: 'CVE-2021-28831',
          PkgID: 'busybox@1.31.1-r21',
          PkgName: 'busybox',
          InstalledVersion: '1.31.1-r21',
          FixedVersion: '1.32.1-r4',
          Status: 'fixed',
          Layer: { DiffID: 'sha256:eb4bde6b29a6746e0779f80a09ca6f0806de61475059f7d56d6e20f6cc2e15f7' },
          SeveritySource: 'nvd',
          PrimaryURL: 'https://avd.aquasec.com/nvd/cve-2021-28831',
          Title: 'busybox: invalid free or segmentation fault via malformed gzip data',
          Description: 'decompress_gunzip.c in BusyBox through 1.32.1 mishandles the error bit.',
          Severity: 'HIGH',
          CweIDs: ['CWE-755'],
        },
        {
          VulnerabilityID: 'CVE-2022-37434',
          PkgName: 'zlib',
          InstalledVersion: '1.2.11-r3',
          FixedVersion: '1.2.12-r2',
          Severity: 'CRITICAL',
          Title: 'zlib: heap-based buffer over-read',
          PrimaryURL: 'https://avd.aquasec.com/nvd/cve-2022-37434',
        },
        { VulnerabilityID: 'CVE-2023-0001', PkgName: 'musl', InstalledVersion: '1.1', Severity: 'HIGH' },
        { VulnerabilityID: 'CVE-2023-0002', PkgName: 'apk', InstalledVersion: '1', FixedVersion: '', Severity: 'LOW' },
      ],
    },
    { Target: 'app/package-lock.json', Class: 'lang-pkgs', Type: 'npm', Vulnerabilities: null },
    { Target: 'usr/bin/tool', Class: 'lang-pkgs', Type: 'gobinary' },
  ],
};

export const GRYPE = {
  matches: [
    {
      vulnerability: {
        id: 'CVE-2022-37434',
        dataSource: 'https://security-tracker.debian.org/tracker/CVE-2022-37434',
        namespace: 'debian:distro:debian:11',
        severity: 'Critical',
        urls: ['https://security-tracker.debian.org/tracker/CVE-2022-37434'],
        cvss: [],
        fix: { versions: ['1:1.2.11.dfsg-2+deb11u2'], state: 'fixed' },
        advisories: [],
      },
      relatedVulnerabilities: [
        {
          id: 'CVE-2022-37434',
          namespace: 'nvd:cpe',
          severity: 'Critical',
          description: 'zlib: heap-based\nover-read',
        },
      ],
      matchDetails: [{ type: 'exact-indirect-match', matcher: 'dpkg-matcher' }],
      artifact: { id: '1', name: 'zlib1g', version: '1:1.2.11.dfsg-2', type: 'deb', locations: [] },
    },
    {
      vulnerability: {
        id: 'GHSA-jf85-cpcp-j695',
        severity: 'Medium',
        description: 'Prototype pollution in lodash',
        urls: ['https://github.com/advisories/GHSA-jf85-cpcp-j695'],
        fix: { versions: [], state: 'not-fixed' },
      },
      relatedVulnerabilities: [],
      matchDetails: [],
      artifact: { id: '2', name: 'lodash', version: '4.17.4', type: 'npm' },
    },
  ],
  source: { type: 'image', target: { userInput: 'x' } },
  distro: { name: 'debian', version: '11', idLike: [] },
  descriptor: { name: 'grype', version: '0.79.0' },
};

export const CLAIR = {
  manifest_hash: `sha256:${'a'.repeat(64)}`,
  packages: {
    '10': {
      ...{ id: '10', name: 'glibc', version: '2.27-0ubuntu1', kind: 'binary', arch: 'x86', module: '', cpe: '' },
      source: { id: '9', name: 'glibc', version: '2.27', kind: 'source', source: null },
    },
    '11': { id: '11', name: 'bash', version: '5.0', kind: 'binary' },
  },
  distributions: { '1': { id: '1', did: 'ubuntu', name: 'Ubuntu', version_id: '18.04' } },
  repository: {},
  environments: { '10': [{ package_db: 'var/lib/dpkg/status', distribution_id: '1' }] },
  vulnerabilities: {
    '356835': {
      id: '356835',
      updater: 'ubuntu',
      name: 'CVE-2009-5155',
      description: 'In the GNU C Library before 2.28, parse_reg_exp misparses alternatives.',
      issued: '2019-10-12T07:20:50.52Z',
      links:
        'https://cve.mitre.org/cgi-bin/cvename.cgi?name=CVE-2009-5155 https://sourceware.org/bugzilla/show_bug.cgi?id=11053',
      severity: 'Important',
      normalized_severity: 'High',
      package: { id: '0', name: 'glibc', kind: 'binary' },
      fixed_in_version: '2.28-0ubuntu1',
      arch_op: 'equals',
    },
    '2': {
      id: '2',
      updater: 'x',
      name: 'CVE-2019-1',
      links: '',
      normalized_severity: 'Negligible',
      fixed_in_version: '',
    },
  },
  package_vulnerabilities: { '10': ['356835'], '11': ['2'] },
  enrichments: {},
};
