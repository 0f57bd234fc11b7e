"""Owns the cases of the ModelArts SDK: the four image APIs with keys of every kind.

Must not be known here: where keys come from. What breaks first: the class or code of an exception.
"""

import time

from fakecloud import AK, LITE_SERVER, NO_UUID_OF_ANY, NOTEBOOK, PROJECT, REGION, SK, Case
from huaweicloudsdkcore.auth.credentials import BasicCredentials, DerivedCredentials
from huaweicloudsdkcore.exceptions import exceptions
from huaweicloudsdkcore.http.http_config import HttpConfig
from huaweicloudsdkcore.region.region import Region
from huaweicloudsdkmodelarts import v1 as modelarts

REFUSED = exceptions.ClientRequestException

CALLS = {
    "ShowImage": lambda client: client.show_image(modelarts.ShowImageRequest(id=NOTEBOOK)),
    "ListImage": lambda client: client.list_image(modelarts.ListImageRequest(type="DEDICATED", limit=2)),
    "GetDevServerImage": lambda client: client.get_dev_server_image(
        modelarts.GetDevServerImageRequest(id=LITE_SERVER)
    ),
    "ListDevServerImages": lambda client: client.list_dev_server_images(
        modelarts.ListDevServerImagesRequest(server_type="BMS")
    ),
}


def client_with(cloud, credentials, config=None):
    return (
        modelarts.ModelArtsClient.new_builder()
        .with_http_config(config or HttpConfig.get_default_config())
        .with_credentials(credentials)
        .with_endpoints([cloud.url])
        .build()
    )


def refusal(case, call, kind=REFUSED):
    with case.assertRaises(kind) as raised:
        call()
    return raised.exception.status_code, raised.exception.error_code


class Modelarts(Case):
    def client(self, ak=AK, sk=SK, project=PROJECT):
        return client_with(self.cloud, BasicCredentials(ak, sk, project))

    def test_show_image_gives_the_image(self):
        image = CALLS["ShowImage"](self.client())
        self.assertEqual((image.id, image.arch, image.status), (NOTEBOOK, "aarch64", "ACTIVE"))
        self.assertEqual(image.namespace, "ai-team")
        self.assertTrue(image.swr_path.startswith("swr."))

    def test_list_image_gives_a_page(self):
        page = CALLS["ListImage"](self.client())
        self.assertEqual((len(page.data), page.total, page.pages), (2, 4, 2))

    def test_list_image_pages_by_offset_with_every_filter(self):
        request = modelarts.ListImageRequest(
            type="DEDICATED", limit=1, offset=1, name="llm-serving", name_fuzzy_match=False,
            namespace="ai-team", service_type="UNKNOWN", sort_dir="ASC", sort_key="name", workspace_id="0",
        )
        page = self.client().list_image(request)
        self.assertEqual([image.name for image in page.data], ["llm-serving"])
        self.assertEqual(page.total, 2)

    def test_get_dev_server_image_gives_the_image(self):
        image = CALLS["GetDevServerImage"](self.client())
        self.assertEqual((image.image_id, image.arch, image.server_type), (LITE_SERVER, "ARM", "BMS"))

    def test_list_dev_server_images_gives_a_page(self):
        page = CALLS["ListDevServerImages"](self.client())
        self.assertEqual([image.image_id for image in page.data], [LITE_SERVER])

    def test_a_missing_image_is_400(self):
        show = lambda: self.client().show_image(modelarts.ShowImageRequest(id=NO_UUID_OF_ANY))
        self.assertEqual(refusal(self, show), (400, "ModelArts.6404"))
        self.cloud.options(modelarts_not_found="not-found")
        self.assertEqual(refusal(self, show), (404, "ModelArts.6404"))

    def test_a_missing_server_image_is_400(self):
        get = lambda: self.client().get_dev_server_image(
            modelarts.GetDevServerImageRequest(id=NO_UUID_OF_ANY)
        )
        self.assertEqual(refusal(self, get), (400, "ModelArts.6404"))

    def test_an_id_that_needs_encoding_is_signed_alike(self):
        show = lambda: self.client().show_image(modelarts.ShowImageRequest(id="a b+ü~%2"))
        self.assertEqual(refusal(self, show), (400, "ModelArts.6400"))

    def test_a_sort_field_that_is_none_is_refused(self):
        call = lambda: self.client().list_image(modelarts.ListImageRequest(sort_key="updateTime"))
        self.assertEqual(refusal(self, call), (400, "ModelArts.6303"))

    def test_a_name_that_needs_encoding_is_signed_alike(self):
        page = self.client().list_image(modelarts.ListImageRequest(name="a b+c&d=é/~*"))
        self.assertEqual(page.total, 0)

    def test_another_project_is_refused(self):
        call = lambda: CALLS["ShowImage"](self.client(project="f" * 32))
        self.assertEqual(refusal(self, call), (403, "ModelArts.0210"))

    def test_an_unknown_key_is_refused(self):
        call = lambda: CALLS["ShowImage"](self.client(ak="NOBODY"))
        self.assertEqual(refusal(self, call), (401, "APIGW.0301"))

    def test_a_key_is_locked_after_many_failures(self):
        self.cloud.options(lock_after_failures=5)
        for _ in range(6):
            refusal(self, lambda: CALLS["ShowImage"](self.client(sk="wrong")))
        with self.assertRaises(REFUSED) as raised:
            CALLS["ShowImage"](self.client())
        self.assertIn("reach the limit", raised.exception.error_msg)

    def test_retries_are_for_throttling_only_and_wait_as_told(self):
        config = HttpConfig.get_default_config()
        config.retry_times = 2
        client = client_with(self.cloud, BasicCredentials(AK, SK, PROJECT), config)
        self.cloud.fault("throttled-modelarts", retry_after_s=1, times=2)
        before = time.monotonic()
        CALLS["ShowImage"](client)
        self.assertGreater(time.monotonic() - before, 1.9)
        self.assertEqual(self.cloud.calls(), {"ShowImage": 3})
        self.cloud.fault("internal-500", times=1)
        refusal(self, lambda: CALLS["ShowImage"](client), exceptions.ServerResponseException)

    def test_an_internal_error_is_a_server_exception(self):
        self.cloud.fault("internal-500")
        call = lambda: CALLS["ShowImage"](self.client())
        self.assertEqual(
            refusal(self, call, exceptions.ServerResponseException), (500, "ModelArts.5039")
        )

    def test_a_reset_connection_is_a_connection_exception(self):
        self.cloud.fault("connection-reset")
        with self.assertRaises(exceptions.ConnectionException):
            CALLS["ShowImage"](self.client())

    def test_a_request_id_is_told(self):
        with self.assertRaises(REFUSED) as raised:
            CALLS["ShowImage"](self.client(sk="wrong"))
        self.assertRegex(raised.exception.request_id, "^[0-9a-f]{32}$")

    def test_a_temporary_key_needs_its_security_token(self):
        account = {"sk": "temporary", "project_id": PROJECT, "security_token": "token-of-it"}
        self.cloud.admin("PUT", "accounts/huawei/TEMPORARY", account)
        with_token = BasicCredentials("TEMPORARY", "temporary", PROJECT).with_security_token("token-of-it")
        for name, call in CALLS.items():
            with self.subTest(name):
                call(client_with(self.cloud, with_token))
        for token in (None, "another"):
            wrong = BasicCredentials("TEMPORARY", "temporary", PROJECT).with_security_token(token)
            call = lambda: CALLS["ShowImage"](client_with(self.cloud, wrong))
            self.assertEqual(refusal(self, call), (401, "APIGW.0301"))

    def test_an_expired_temporary_key_is_refused(self):
        account = {"sk": "temporary", "project_id": PROJECT, "security_token": "token-of-it"}
        self.cloud.admin("PUT", "accounts/huawei/TEMPORARY", account)
        credentials = BasicCredentials("TEMPORARY", "temporary", PROJECT).with_security_token("token-of-it")
        client = client_with(self.cloud, credentials)
        CALLS["ShowImage"](client)
        self.cloud.admin("POST", "accounts/huawei/TEMPORARY/expire")
        self.assertEqual(refusal(self, lambda: CALLS["ShowImage"](client)), (401, "APIGW.0301"))

    def test_a_rotated_key_replaces_the_old_one(self):
        new = self.cloud.admin("POST", f"accounts/huawei/{AK}/rotate")
        CALLS["ShowImage"](self.client(new["ak"], new["sk"]))
        call = lambda: CALLS["ShowImage"](self.client())
        self.assertEqual(refusal(self, call), (401, "APIGW.0301"))

    def derived(self, service):
        credentials = BasicCredentials(AK, SK, PROJECT)
        credentials.with_derived_predicate(DerivedCredentials.get_default_derived_predicate())
        # The ModelArts client names no service of its own, so its builder has to be told.
        builder = modelarts.ModelArtsClient.new_builder()._with_derived_auth_service_name(service)
        return (
            builder.with_http_config(HttpConfig.get_default_config())
            .with_credentials(credentials)
            .with_region(Region(REGION, self.cloud.url))
            .build()
        )

    def test_a_derived_key_is_accepted(self):
        client = self.derived("modelarts")
        for name, call in CALLS.items():
            with self.subTest(name):
                call(client)

    def test_a_key_derived_for_another_service_is_refused(self):
        self.cloud.options(v11_region=REGION, v11_service="modelarts")
        CALLS["ShowImage"](self.derived("modelarts"))
        call = lambda: CALLS["ShowImage"](self.derived("swr"))
        self.assertEqual(refusal(self, call), (401, "APIGW.0301"))


def _every_call(name, call):
    # The SDK's HTTP layer takes every 429 for a failed attempt and loses the answer with its code.
    def throttled(case):
        case.cloud.fault("throttled-modelarts", retry_after_s=1)
        case.assertEqual(refusal(case, lambda: call(case.client())), (429, "429"))
        case.assertEqual(case.cloud.calls(), {name: 1})

    def throttled_by_gateway(case):
        case.cloud.fault("throttled-gateway")
        case.assertEqual(refusal(case, lambda: call(case.client())), (429, "429"))

    def badly_signed(case):
        case.assertEqual(refusal(case, lambda: call(case.client(sk="wrong"))), (401, "APIGW.0301"))

    def skewed(case):
        for offset in (-1000, 1000):
            case.cloud.options(clock_offset_s=offset)
            case.assertEqual(refusal(case, lambda: call(case.client())), (401, "APIGW.0301"))

    def denied(case):
        case.cloud.options(denied=[name])
        case.assertEqual(refusal(case, lambda: call(case.client())), (403, "ModelArts.0108"))

    for test in (throttled, throttled_by_gateway, badly_signed, skewed, denied):
        setattr(Modelarts, f"test_{name}_{test.__name__}", test)


for _name, _call in CALLS.items():
    _every_call(_name, _call)
