// An OpenID provider on a free port of this machine: `oidc-provider`, with users whose claims the tests choose.
//
// Who signs in is whoever `login_hint` names, without a page: `login_hint` is the user's claims as JSON. The environment says where
// answers may be sent (CALLBACK), and whether ID tokens hold all claims (CLAIMS=in-token). The first line of standard output is the issuer.
import { createServer } from 'node:http'
import { createRequire } from 'node:module'
import { pathToFileURL } from 'node:url'
import { generateKeyPairSync } from 'node:crypto'

const require = createRequire(pathToFileURL(`${process.env.PACKAGES}/`))
const { Provider } = await import(pathToFileURL(require.resolve('oidc-provider')).href)

// It warns of its storage in memory, which is right here.
console.warn = console.info = () => {}
const users = new Map()
const key = (kind, options, alg) => {
    const { privateKey } = generateKeyPairSync(kind, options)
    return { ...privateKey.export({ format: 'jwk' }), use: 'sig', alg, kid: alg }
}
const server = createServer()
await new Promise((listening) => server.listen(0, '127.0.0.1', listening))
const issuer = `http://127.0.0.1:${server.address().port}`

const client = (id, more) => ({
    client_id: id,
    client_secret: 'a secret of the app & more',
    redirect_uris: [process.env.CALLBACK],
    grant_types: ['authorization_code', 'refresh_token'],
    response_types: ['code'],
    ...more,
})
const provider = new Provider(issuer, {
    clients: [
        client('app', {}),
        client('other-app', {}),
        client('elliptic', { id_token_signed_response_alg: 'ES256', token_endpoint_auth_method: 'client_secret_post' }),
    ],
    claims: {
        openid: ['sub'],
        email: ['email', 'email_verified', 'xms_edov'],
        profile: ['name', 'picture', 'preferred_username', 'locale'],
    },
    conformIdTokenClaims: process.env.CLAIMS !== 'in-token',
    features: { devInteractions: { enabled: false } },
    pkce: { required: () => true },
    jwks: { keys: [key('rsa', { modulusLength: 2048 }, 'RS256'), key('ec', { namedCurve: 'P-256' }, 'ES256')] },
    cookies: { keys: ['of the tests'] },
    findAccount: (_, id) => users.has(id) && { accountId: id, claims: () => users.get(id) },
    interactions: { url: (_, interaction) => `/interaction/${interaction.uid}` },
    ttl: { AccessToken: 3600, AuthorizationCode: 60, Grant: 3600, IdToken: 3600, Interaction: 600, Session: 3600 },
})

// The page of the provider: signs the user in whom `login_hint` names, and agrees to what the app asks for.
const interact = async (request, response) => {
    const { prompt, params } = await provider.interactionDetails(request, response)
    const user = JSON.parse(params.login_hint)
    users.set(user.sub, user)
    if (user.refuses) {
        return provider.interactionFinished(request, response, { error: 'access_denied', error_description: 'the user said no' })
    }
    const grant = new provider.Grant({ accountId: user.sub, clientId: params.client_id })
    grant.addOIDCScope(prompt.details.missingOIDCScope?.join(' ') ?? params.scope)
    const answer = { login: { accountId: user.sub }, consent: { grantId: await grant.save() } }
    return provider.interactionFinished(request, response, answer, { mergeWithLastSubmission: false })
}
const handle = provider.callback()
server.on('request', (request, response) => {
    if (!request.url.startsWith('/interaction/')) return handle(request, response)
    interact(request, response).catch((error) => {
        response.statusCode = 500
        response.end(String(error))
    })
})
provider.on('server_error', (_, error) => console.error(error))
console.log(issuer)
