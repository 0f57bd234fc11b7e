"""Owns the cases of where the Huawei SDK gets keys, tokens and project ids from.

Must not be known here: what the keys are for, beyond one call that they must open.
What breaks first: the shape of an answer that a provider of the SDK reads.
"""

import os

from fakecloud import (
    AGENCY, AGENCY_URN, AK, AUDIENCE, DOMAIN, DOMAIN_ID, PASSWORD, POD_AUDIENCE, PROJECT, PROVIDER,
    PROVIDER_URN, REGION, SK, USER, Case,
)
from huawei_images import CALLS, client_with, refusal
from huaweicloudsdkcore.auth.credentials import BasicCredentials, GlobalCredentials
from huaweicloudsdkcore.auth.provider import (
    CredentialProviderChain, EnvCredentialProvider, MetadataCredentialProvider, OidcStsCredentialProvider,
    PodIdentityCredentialProvider, ProfileCredentialProvider,
)
from huaweicloudsdkcore.exceptions.exceptions import ClientRequestException, SdkException
from huaweicloudsdkcore.http.http_config import HttpConfig
from huaweicloudsdkcore.region.region import Region
from huaweicloudsdkiam import v3 as iam
from huaweicloudsdkiam.v3.iam_credentials import IamCredentials
from huaweicloudsdkmodelarts import v1 as modelarts


class Keys(Case):
    def setUp(self):
        super().setUp()
        os.environ["HUAWEICLOUD_SDK_IAM_ENDPOINT"] = self.cloud.url
        os.environ["HUAWEICLOUD_SDK_STS_ENDPOINT"] = self.cloud.url
        # The SDK caches ids by access key for the whole process, so each case has a key of its own.
        new = self.cloud.admin("POST", f"accounts/huawei/{AK}/rotate")
        self.ak, self.sk = new["ak"], new["sk"]

    def regional(self, credentials):
        builder = modelarts.ModelArtsClient.new_builder().with_http_config(HttpConfig.get_default_config())
        return builder.with_credentials(credentials).with_region(Region(REGION, self.cloud.url)).build()

    def opens(self, credentials):
        credentials.project_id = PROJECT
        CALLS["ShowImage"](client_with(self.cloud, credentials))

    def iam(self, credentials=None):
        builder = iam.IamClient.new_builder().with_http_config(HttpConfig.get_default_config())
        credentials = credentials or GlobalCredentials(self.ak, self.sk, DOMAIN_ID)
        return builder.with_credentials(credentials).with_endpoints([self.cloud.url]).build()

    # Projects and domains.

    def test_the_project_is_found_by_the_region(self):
        CALLS["ShowImage"](self.regional(BasicCredentials(self.ak, self.sk)))
        self.assertEqual(self.cloud.calls(), {"IamProjects": 1, "ShowImage": 1})

    def test_no_project_of_the_region_is_an_error(self):
        self.cloud.admin("DELETE", f"projects/{PROJECT}")
        with self.assertRaisesRegex(SdkException, "Failed to get project id"):
            self.regional(BasicCredentials(self.ak, self.sk))

    def test_two_projects_of_the_region_are_an_error(self):
        self.cloud.admin("PUT", "projects/second", {"name": REGION})
        with self.assertRaisesRegex(SdkException, "Multiple project ids found"):
            self.regional(BasicCredentials(self.ak, self.sk))

    def test_projects_may_be_denied(self):
        self.cloud.options(denied=["IamProjects"])
        with self.assertRaisesRegex(SdkException, "status_code:403"):
            self.regional(BasicCredentials(self.ak, self.sk))

    def global_domain(self):
        builder = iam.IamClient.new_builder().with_http_config(HttpConfig.get_default_config())
        client = builder.with_credentials(GlobalCredentials(self.ak, self.sk)).with_region(
            Region(REGION, self.cloud.url)
        ).build()
        return client.get_credentials().domain_id

    def test_the_domain_is_found_by_iam(self):
        self.assertEqual(self.global_domain(), DOMAIN_ID)

    def test_the_domain_is_found_by_the_caller_identity(self):
        self.cloud.options(domains_listed=False)
        self.assertEqual(self.global_domain(), DOMAIN_ID)
        self.assertEqual(self.cloud.calls(), {"IamDomains": 1, "CallerIdentity": 1})

    # Tokens and temporary keys by the IAM client.

    def by_password(self, password=PASSWORD):
        user = iam.PwdPasswordUser(iam.PwdPasswordUserDomain(name=DOMAIN), USER, password)
        identity = iam.PwdIdentity(["password"], iam.PwdPassword(user))
        scope = iam.AuthScope(project=iam.AuthScopeProject(name=REGION))
        body = iam.KeystoneCreateUserTokenByPasswordRequestBody(iam.PwdAuth(identity, scope))
        request = iam.KeystoneCreateUserTokenByPasswordRequest(body=body)
        return self.iam().keystone_create_user_token_by_password(request)

    def test_a_password_gives_a_token(self):
        answer = self.by_password()
        self.assertEqual(answer.token.project.id, PROJECT)
        self.assertTrue(answer.x_subject_token)

    def test_a_wrong_password_is_refused_in_both_shapes(self):
        self.assertEqual(refusal(self, lambda: self.by_password("wrong")), (401, 401))
        self.cloud.options(iam_errors="code")
        self.assertEqual(refusal(self, lambda: self.by_password("wrong")), (401, "IAM.0062"))

    def test_an_agency_gives_a_token(self):
        assume = iam.AgencyTokenAssumerole(domain_name=DOMAIN, agency_name=AGENCY)
        identity = iam.AgencyTokenIdentity(["assume_role"], assume)
        scope = iam.AgencyTokenScope(project=iam.AgencyTokenScopeProject(id=PROJECT))
        body = iam.KeystoneCreateAgencyTokenRequestBody(iam.AgencyTokenAuth(identity, scope))
        request = iam.KeystoneCreateAgencyTokenRequest(body=body)
        client = self.iam(IamCredentials(self.by_password().x_subject_token))
        self.assertEqual(client.keystone_create_agency_token(request).token.project.id, PROJECT)

    def key_by_token(self, seconds, token=None):
        token = token or self.by_password().x_subject_token
        identity = iam.TokenAuthIdentity(["token"], iam.IdentityToken(token, seconds))
        body = iam.CreateTemporaryAccessKeyByTokenRequestBody(iam.TokenAuth(identity))
        request = iam.CreateTemporaryAccessKeyByTokenRequest(body=body)
        return self.iam().create_temporary_access_key_by_token(request).credential

    def test_a_token_gives_a_temporary_key(self):
        key = self.key_by_token(900)
        self.opens(BasicCredentials(key.access, key.secret).with_security_token(key.securitytoken))
        self.assertRegex(key.expires_at, r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z$")

    def test_a_temporary_key_is_not_for_ever(self):
        key = self.key_by_token(900)
        self.cloud.options(clock_offset_s=901)
        call = lambda: self.opens(BasicCredentials(key.access, key.secret).with_security_token(key.securitytoken))
        self.assertEqual(refusal(self, call), (401, "APIGW.0301"))

    def test_a_duration_out_of_limits_is_refused(self):
        token = self.by_password().x_subject_token
        for seconds in (899, 86401):
            self.assertEqual(refusal(self, lambda: self.key_by_token(seconds, token)), (400, 400))

    def test_an_agency_gives_a_temporary_key(self):
        assume = iam.IdentityAssumerole(agency_name=AGENCY, domain_id=DOMAIN_ID, duration_seconds=3600)
        identity = iam.AgencyAuthIdentity(["assume_role"], assume)
        body = iam.CreateTemporaryAccessKeyByAgencyRequestBody(iam.AgencyAuth(identity))
        request = iam.CreateTemporaryAccessKeyByAgencyRequest(body=body)
        key = self.iam().create_temporary_access_key_by_agency(request).credential
        self.opens(BasicCredentials(key.access, key.secret).with_security_token(key.securitytoken))

    def test_federation_gives_an_unscoped_token(self):
        bearer = "Bearer " + self.cloud.id_token(AUDIENCE)
        request = iam.CreateUnscopedTokenWithIdTokenRequest(
            idp_id=PROVIDER, protocol_id="oidc", authorization=bearer
        )
        answer = self.iam(IamCredentials()).create_unscoped_token_with_id_token(request)
        self.assertTrue(answer.x_subject_token)
        self.assertIsNone(answer.token.to_dict().get("project"))

    # Providers of the SDK.

    def federated(self, **claims):
        os.environ["HUAWEICLOUD_SDK_IDP_ID"] = PROVIDER
        token = self.cloud.id_token(claims.pop("audience", AUDIENCE), **claims)
        os.environ["HUAWEICLOUD_SDK_ID_TOKEN_FILE"] = self.file_of(token + "\n")
        return EnvCredentialProvider.get_basic().get_credentials()

    def test_an_identity_token_gives_keys_by_iam(self):
        self.opens(self.federated())
        self.assertEqual(
            self.cloud.calls(), {"IamIdToken": 1, "IamSecurityTokens": 1, "ShowImage": 1}
        )
        self.assertEqual(
            self.cloud.places_of("Identity"), {("/v3.0/OS-AUTH/id-token/tokens", "Body")}
        )

    def test_a_wrong_identity_token_is_refused_by_iam(self):
        for claims, answer in (
            ({"audience": "another"}, (401, 401)),
            ({"issuer": "https://another"}, (401, 401)),
            ({"life_s": 0}, (401, 401)),
            ({"subject": "system:serviceaccount:other:other"}, (403, 403)),
        ):
            with self.subTest(claims):
                self.assertEqual(refusal(self, lambda: self.opens(self.federated(**claims))), answer)

    def by_sts(self, **claims):
        os.environ["HUAWEICLOUD_OIDC_PROVIDER_URN"] = claims.pop("provider_urn", PROVIDER_URN)
        os.environ["HUAWEICLOUD_OIDC_AGENCY_URN"] = claims.pop("agency_urn", AGENCY_URN)
        token = self.cloud.id_token(claims.pop("audience", AUDIENCE), **claims)
        os.environ["HUAWEICLOUD_OIDC_TOKEN_FILE"] = self.file_of(token + "\n")
        return OidcStsCredentialProvider.get_basic().get_credentials()

    def test_an_identity_token_gives_keys_by_sts(self):
        self.opens(self.by_sts())
        self.assertEqual(self.cloud.calls(), {"AssumeWithOidc": 1, "ShowImage": 1})

    def test_every_spelling_of_keys_is_read(self):
        for names in ("short", "camel", "snake"):
            for envelope in ("credential", "credentials", "none"):
                with self.subTest(f"{names} in {envelope}"):
                    self.cloud.options(key_names=names, key_envelope=envelope)
                    self.opens(self.by_sts())

    def test_a_wrong_identity_token_is_refused_by_sts(self):
        for claims, status in (
            ({"audience": "another"}, 401),
            ({"life_s": 0}, 401),
            ({"subject": "system:serviceaccount:other:other"}, 403),
            ({"provider_urn": "iam::x:oidc-provider:x"}, 404),
            ({"agency_urn": "iam::x:agency:x"}, 404),
        ):
            with self.subTest(claims):
                with self.assertRaisesRegex(SdkException, f"status_code:{status}"):
                    self.opens(self.by_sts(**claims))

    def test_keys_by_sts_are_renewed_when_little_is_left(self):
        self.cloud.options(temporary_ttl_s=1800)
        client = client_with(self.cloud, self.by_sts().with_project_id(PROJECT))
        CALLS["ShowImage"](client)
        CALLS["ShowImage"](client)
        self.assertEqual(self.cloud.calls()["AssumeWithOidc"], 2)

    def by_metadata(self):
        # The address is fixed in the SDK; as a proxy the clouds see its requests.
        os.environ["http_proxy"] = self.cloud.url
        try:
            return MetadataCredentialProvider.get_basic_credential_metadata_provider().get_credentials()
        finally:
            del os.environ["http_proxy"]

    def test_metadata_gives_keys_in_every_token_mode(self):
        for mode in ("required", "optional", "off-404", "off-405", "off-503"):
            with self.subTest(mode):
                self.cloud.options(metadata_token=mode)
                self.opens(self.by_metadata())
        hosts = {entry["host"] for entry in self.cloud.admin("GET", "log") if "latest" in entry["path"]}
        self.assertEqual(hosts, {"169.254.169.254"})

    def test_metadata_without_an_agency_gives_none(self):
        self.cloud.options(metadata_agency=False)
        with self.assertRaises(ClientRequestException) as raised:
            self.by_metadata()
        self.assertEqual(raised.exception.status_code, 401)
        self.assertIn("Please configure Cloud Service Agency first", raised.exception.error_msg)
        self.assertEqual(self.cloud.calls(), {"MetadataToken": 1, "MetadataSecurityKey": 1})

    def by_pod(self, audience=POD_AUDIENCE):
        os.environ["HC_CONTAINER_CREDENTIALS_FULL_URI"] = self.cloud.url + "/pod-identity/credentials"
        os.environ["HC_CONTAINER_AUTHORIZATION_TOKEN_FILE"] = self.file_of(self.cloud.id_token(audience) + "\n")
        return PodIdentityCredentialProvider.get_basic().get_credentials()

    def test_pod_identity_gives_keys(self):
        self.opens(self.by_pod())
        self.assertEqual(self.cloud.places_of("Identity"), {("/pod-identity/credentials", "Header")})

    def test_pod_identity_refuses_a_token_for_another(self):
        with self.assertRaisesRegex(SdkException, "401"):
            self.by_pod(AUDIENCE)

    def test_a_profile_gives_keys(self):
        profile = f"[basic]\nak = {self.ak}\nsk = {self.sk}\nproject_id = {PROJECT}\n"
        os.environ["HUAWEICLOUD_SDK_CREDENTIALS_FILE"] = self.file_of(profile)
        self.opens(ProfileCredentialProvider.get_basic().get_credentials())

    def test_the_chain_asks_sts_first(self):
        self.by_sts()
        os.environ["HUAWEICLOUD_SDK_AK"], os.environ["HUAWEICLOUD_SDK_SK"] = self.ak, self.sk
        chain = CredentialProviderChain.get_basic_credential_provider_chain()
        self.opens(chain.get_credentials())
        self.assertEqual(self.cloud.calls(), {"AssumeWithOidc": 1, "ShowImage": 1})

    def test_no_key_went_where_it_should_not(self):
        self.opens(self.federated())
        sk = self.cloud.admin("POST", "sightings", {"text": SK})
        self.assertEqual(sk, [])
        self.assertEqual(
            self.cloud.places_of("Iam"), {("/v3.0/OS-CREDENTIAL/securitytokens", "Body")}
        )
