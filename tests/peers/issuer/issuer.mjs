// An OpenID Connect issuer on a free port of this machine, for as long as its standard input is open.
//
// The first argument is JSON: {audience, clients: {id: {secret, claims, scope, algorithm}}}. It prints
// one line of JSON when it listens and one for each command read: "rotate" signs with a new key and
// still publishes the old one, "forget" publishes the newest key only.
import { createHash, generateKeyPairSync } from 'node:crypto';
import { createServer } from 'node:http';
import { createInterface } from 'node:readline';
import { Provider } from 'oidc-provider';

const { audience, clients } = JSON.parse(process.argv[2]);
let keys = newKeys();
let provider;

const server = createServer((request, response) => provider.callback()(request, response));
server.listen(0, '127.0.0.1', () => {
  start();
  tell('listens');
});

createInterface({ input: process.stdin })
  .on('line', (command) => {
    const old = command === 'rotate' ? keys : [];
    const newest = command === 'rotate' ? newKeys() : keys.slice(0, 2);
    keys = [...newest, ...old];
    start();
    tell(command);
  })
  .on('close', () => process.exit(0));

function start() {
  provider = new Provider(address(), {
    jwks: { keys },
    scopes: Object.values(clients).flatMap(({ scope }) => scope?.split(' ') ?? []),
    clients: Object.entries(clients).map(([id, { secret }]) => ({
      client_id: id,
      client_secret: secret,
      grant_types: ['client_credentials'],
      redirect_uris: [],
      response_types: [],
    })),
    ttl: { ClientCredentials: 600 },
    features: {
      clientCredentials: { enabled: true },
      devInteractions: { enabled: false },
      resourceIndicators: {
        enabled: true,
        defaultResource: () => audience,
        getResourceServerInfo: (_, resource, client) => ({
          audience: resource,
          scope: clients[client.clientId].scope ?? '',
          accessTokenTTL: 600,
          accessTokenFormat: 'jwt',
          jwt: { sign: { alg: clients[client.clientId].algorithm ?? 'RS256' } },
        }),
      },
    },
    extraTokenClaims: (_, token) => clients[token.clientId].claims ?? {},
  });
}

function newKeys() {
  return [
    published(generateKeyPairSync('rsa', { modulusLength: 2048 }), 'RS256'),
    published(generateKeyPairSync('ec', { namedCurve: 'P-256' }), 'ES256'),
  ];
}

function published({ privateKey }, alg) {
  const jwk = privateKey.export({ format: 'jwk' });
  const kid = createHash('sha256').update(jwk.n ?? jwk.x).digest('hex').slice(0, 16);
  return { ...jwk, alg, use: 'sig', kid };
}

function address() {
  return `http://127.0.0.1:${server.address().port}`;
}

function tell(event) {
  console.log(JSON.stringify({ event, issuer: address(), kids: keys.map(({ kid }) => kid) }));
}
