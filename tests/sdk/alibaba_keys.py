"""Owns the cases of where the Alibaba credentials client gets keys from.

Must not be known here: what the keys are for, beyond one call that they must open.
What breaks first: the shape of an answer that a provider of the client reads.
"""

import os
import subprocess
import sys

from alibaba_images import CALLS, client_with
from alibabacloud_credentials.client import Client
from alibabacloud_credentials.exceptions import CredentialException
from alibabacloud_credentials.models import Config
from fakecloud import OIDC_PROVIDER_ARN, ROLE_ARN, Case


class Keys(Case):
    def setUp(self):
        super().setUp()
        # The client puts the identity token into the URL.
        self.cloud.options(sts_token_in_query=True)

    def opens(self, credential):
        CALLS["PaiGetImage"](client_with(self.cloud, credential=credential))

    def rrsa(self, **claims):
        config = {"role_arn": ROLE_ARN, "oidc_provider_arn": OIDC_PROVIDER_ARN}
        config.update(claims.pop("config", {}))
        token = self.cloud.id_token(claims.pop("audience", "sts.aliyuncs.com"), **claims)
        return Client(Config(
            type="oidc_role_arn", oidc_token_file_path=self.file_of(token), role_session_name="case",
            # A scheme in the endpoint overrules the client's https.
            sts_endpoint=self.cloud.url, **config,
        ))

    def refused(self, code, **claims):
        with self.assertRaisesRegex(CredentialException, code):
            self.rrsa(**claims).get_credential()

    def test_an_identity_token_gives_keys(self):
        self.opens(self.rrsa())
        self.assertEqual(self.cloud.calls(), {"AssumeRoleWithOidc": 1, "PaiGetImage": 1})
        self.assertEqual(self.cloud.places_of("Identity"), {("/", "Query")})

    def test_a_token_in_the_url_is_refused_unless_allowed(self):
        self.cloud.options(sts_token_in_query=False)
        self.refused("InvalidParameter.OIDCToken")

    def test_an_expired_identity_token_is_refused(self):
        self.refused("AuthenticationFail.OIDCToken.Expired", life_s=0)

    def test_an_identity_token_for_another_is_refused(self):
        self.refused("AuthenticationFail.OIDCToken.AudienceNotMatch", audience="another")

    def test_an_identity_token_of_another_issuer_is_refused(self):
        self.refused("AuthenticationFail.OIDCToken.Invalid", issuer="https://another")

    def test_an_identity_token_of_another_subject_is_refused(self):
        self.refused("NoPermission", subject="system:serviceaccount:other:other")

    def test_a_missing_role_is_told(self):
        self.refused("EntityNotExist.Role", config={"role_arn": ROLE_ARN + "x"})

    def test_a_missing_provider_is_told(self):
        self.refused("EntityNotExist.OIDCProvider", config={"oidc_provider_arn": OIDC_PROVIDER_ARN + "x"})

    def test_a_duration_too_long_is_refused(self):
        self.refused("InvalidParameter.DurationSeconds", config={"role_session_expiration": 43201})

    def test_the_clock_of_sts_matters(self):
        for offset in (-1000, 1000):
            self.cloud.options(clock_offset_s=offset)
            self.refused("InvalidTimeStamp.Expired", life_s=9000)

    def test_sts_may_throttle(self):
        self.cloud.fault("throttled-pai")
        self.refused("Throttling.User")
        self.assertEqual(self.cloud.calls(), {"AssumeRoleWithOidc": 1})

    def test_keys_are_renewed_when_little_is_left(self):
        self.cloud.options(temporary_ttl_s=800)
        credential = self.rrsa()
        first, second = credential.get_credential(), credential.get_credential()
        self.assertNotEqual(first.access_key_id, second.access_key_id)

    def ecs(self, **config):
        # The address is fixed in the client; as a proxy the clouds see its requests.
        return Client(Config(type="ecs_ram_role", proxy=self.cloud.url, **config))

    def test_ecs_metadata_gives_keys_in_every_mode(self):
        for mode in ("hardened", "v1-allowed", "v1-only"):
            with self.subTest(mode):
                self.cloud.options(ecs_metadata=mode)
                self.opens(self.ecs())
        hosts = {entry["host"] for entry in self.cloud.admin("GET", "log") if "latest" in entry["path"]}
        self.assertEqual(hosts, {"100.100.100.200"})

    def test_ecs_metadata_without_tokens_does_not_do_for_a_client_that_insists(self):
        self.cloud.options(ecs_metadata="v1-only")
        with self.assertRaisesRegex(CredentialException, "HttpCode=404"):
            self.ecs(disable_imds_v1=True).get_credential()

    def test_ecs_metadata_of_another_role_gives_none(self):
        # The client tries again without a token, which a hardened instance answers with 403.
        with self.assertRaisesRegex(CredentialException, "HttpCode=403"):
            self.ecs(role_name="another").get_credential()
        self.cloud.options(ecs_metadata="v1-allowed")
        with self.assertRaisesRegex(CredentialException, "HttpCode=404"):
            self.ecs(role_name="another").get_credential()

    def test_ecs_metadata_without_a_role_gives_none(self):
        self.cloud.options(ecs_role="", ecs_metadata="v1-allowed")
        with self.assertRaisesRegex(CredentialException, "HttpCode=404"):
            self.ecs().get_credential()

    def test_a_credentials_uri_gives_keys(self):
        uri = self.cloud.url + "/credentials-uri"
        self.opens(Client(Config(type="credentials_uri", credentials_uri=uri)))

    def test_the_chain_comes_to_the_credentials_uri_last(self):
        # The client reads its environment when it is imported, so this takes a process of its own.
        program = "from alibabacloud_credentials.client import Client; c = Client().get_credential();" \
            "print(c.access_key_id, c.provider_name)"
        environment = dict(
            os.environ, HOME=os.path.dirname(self.file_of("")),
            ALIBABA_CLOUD_CREDENTIALS_URI=self.cloud.url + "/credentials-uri",
            ALIBABA_CLOUD_ECS_METADATA_DISABLED="true",
        )
        answer = subprocess.run([sys.executable, "-c", program], env=environment, capture_output=True, text=True)
        self.assertRegex(answer.stdout, r"^STS\.[0-9a-f]+ default/credential_uri$", answer.stderr)

    def test_a_credentials_uri_may_fail(self):
        self.cloud.options(denied=["CredentialsUri"])
        uri = self.cloud.url + "/credentials-uri"
        with self.assertRaisesRegex(CredentialException, "http_code=403"):
            Client(Config(type="credentials_uri", credentials_uri=uri)).get_credential()
