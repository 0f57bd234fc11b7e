"""Owns the cases of the PAI AIWorkSpace SDK: GetImage and ListImages with keys of every kind.

Must not be known here: where keys come from. What breaks first: the class or code of an exception.
"""

from alibabacloud_aiworkspace20210204 import models
from alibabacloud_aiworkspace20210204.client import Client
from alibabacloud_tea_openapi.exceptions import (
    AlibabaCloudException, ClientException, ServerException, ThrottlingException,
)
from alibabacloud_tea_openapi.utils_models import Config
from fakecloud import ALIBABA_AK, ALIBABA_SECRET, PAI_IMAGE, Case

CALLS = {
    "PaiGetImage": lambda client: client.get_image(PAI_IMAGE, models.GetImageRequest(verbose=True)),
    "PaiListImages": lambda client: client.list_images(models.ListImagesRequest(page_number=1, page_size=2)),
}


def client_with(cloud, **config):
    return Client(Config(endpoint=cloud.address, protocol="http", **config))


def refusal(case, call, kind=ClientException):
    with case.assertRaises(AlibabaCloudException) as raised:
        call()
    case.assertIs(type(raised.exception), kind, raised.exception)
    return raised.exception.status_code, raised.exception.code


class Pai(Case):
    def client(self, key=ALIBABA_AK, secret=ALIBABA_SECRET, token=None):
        return client_with(self.cloud, access_key_id=key, access_key_secret=secret, security_token=token)

    def test_get_image_gives_the_image(self):
        answer = CALLS["PaiGetImage"](self.client())
        self.assertEqual(answer.status_code, 200)
        self.assertEqual(answer.body.workspace_id, "15945")
        self.assertTrue(answer.body.image_uri.startswith("registry."))
        self.assertTrue(answer.body.labels)

    def test_get_image_gives_labels_only_if_asked(self):
        answer = self.client().get_image(PAI_IMAGE, models.GetImageRequest())
        self.assertFalse(answer.body.labels)

    def test_list_images_gives_a_page(self):
        body = CALLS["PaiListImages"](self.client()).body
        self.assertEqual((len(body.images), body.total_count), (2, 3))

    def test_list_images_takes_every_filter(self):
        request = models.ListImagesRequest(
            accessibility="PRIVATE", labels="system.chipType=GPU", name="a b+c&é~*/", order="DESC",
            page_number=1, page_size=20, query="x", sort_by="GmtCreateTime", verbose=True, workspace_id="15945",
        )
        self.assertEqual(self.client().list_images(request).body.total_count, 0)

    def test_a_missing_image_is_not_found(self):
        get = lambda: self.client().get_image("image-none", models.GetImageRequest())
        self.assertEqual(refusal(self, get), (404, "100800404"))
        self.cloud.options(pai_not_found_status=400, pai_not_found_code="InvalidImage.NotFound")
        self.assertEqual(refusal(self, get), (400, "InvalidImage.NotFound"))

    def test_an_unknown_key_is_a_404_too(self):
        call = lambda: CALLS["PaiGetImage"](self.client(key="LTAInobody"))
        self.assertEqual(refusal(self, call), (404, "InvalidAccessKeyId.NotFound"))

    def test_errors_are_read_in_every_shape(self):
        get = lambda: self.client().get_image("image-none", models.GetImageRequest())
        self.cloud.options(pai_lower_case_errors=True)
        self.assertEqual(refusal(self, get), (404, "100800404"))
        self.cloud.options(pai_xml_errors=True)
        self.assertEqual(refusal(self, get), (404, "100800404"))

    def test_an_internal_error_is_a_server_exception(self):
        self.cloud.fault("internal-500")
        call = lambda: CALLS["PaiGetImage"](self.client())
        self.assertEqual(refusal(self, call, ServerException), (500, "InternalError"))

    def test_a_temporary_key_needs_its_security_token(self):
        account = {"secret": "temporary", "security_token": "token-of-it"}
        self.cloud.admin("PUT", "accounts/alibaba/STS.TEMPORARY", account)
        for name, call in CALLS.items():
            with self.subTest(name):
                call(self.client("STS.TEMPORARY", "temporary", "token-of-it"))
        call = lambda: CALLS["PaiGetImage"](self.client("STS.TEMPORARY", "temporary"))
        self.assertEqual(refusal(self, call), (400, "MissingSecurityToken"))
        call = lambda: CALLS["PaiGetImage"](self.client("STS.TEMPORARY", "temporary", "another"))
        self.assertEqual(refusal(self, call), (400, "InvalidSecurityToken.MismatchWithAccessKey"))

    def test_an_expired_temporary_key_is_refused(self):
        account = {"secret": "temporary", "security_token": "token-of-it"}
        self.cloud.admin("PUT", "accounts/alibaba/STS.TEMPORARY", account)
        self.cloud.admin("POST", "accounts/alibaba/STS.TEMPORARY/expire")
        call = lambda: CALLS["PaiGetImage"](self.client("STS.TEMPORARY", "temporary", "token-of-it"))
        self.assertEqual(refusal(self, call), (400, "InvalidSecurityToken.Expired"))

    def test_a_rotated_key_replaces_the_old_one(self):
        new = self.cloud.admin("POST", f"accounts/alibaba/{ALIBABA_AK}/rotate")
        CALLS["PaiGetImage"](self.client(new["ak"], new["secret"]))
        call = lambda: CALLS["PaiGetImage"](self.client())
        self.assertEqual(refusal(self, call), (404, "InvalidAccessKeyId.NotFound"))


def _every_call(name, call):
    def throttled(case):
        case.cloud.fault("throttled-pai")
        case.assertEqual(refusal(case, lambda: call(case.client())), (400, "Throttling.User"))
        case.cloud.options(pai_throttle_status=429)
        case.assertEqual(refusal(case, lambda: call(case.client())), (429, "Throttling.User"))

    def throttled_with_a_delay(case):
        for status in (400, 429):
            case.cloud.options(pai_throttle_status=status)
            case.cloud.admin("PUT", "faults", [{"kind": "throttled-pai", "retry_after_ms": 200}])
            with case.assertRaises(ThrottlingException) as raised:
                call(case.client())
            case.assertEqual(raised.exception.code, "Throttling.User")
            case.assertEqual(raised.exception.retry_after, 200)

    def badly_signed(case):
        code = refusal(case, lambda: call(case.client(secret="wrong")))
        case.assertEqual(code, (400, "SignatureDoesNotMatch"))

    def skewed(case):
        for offset in (-1000, 1000):
            case.cloud.options(clock_offset_s=offset)
            code = refusal(case, lambda: call(case.client()))
            case.assertEqual(code, (400, "InvalidTimeStamp.Expired"))

    def denied(case):
        case.cloud.options(denied=[name])
        with case.assertRaises(ClientException) as raised:
            call(case.client())
        case.assertEqual((raised.exception.status_code, raised.exception.code), (403, "Forbidden.RAM"))
        case.assertEqual(raised.exception.access_denied_detail["NoPermissionType"], "ImplicitDeny")

    for test in (throttled, throttled_with_a_delay, badly_signed, skewed, denied):
        setattr(Pai, f"test_{name}_{test.__name__}", test)


for _name, _call in CALLS.items():
    _every_call(_name, _call)
