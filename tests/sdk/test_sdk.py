"""Owns the run: starts the simulated clouds, runs every case, says how many passed.

Must not be known here: any case. Arguments are parts of names of cases to run; none means all.
"""

import logging
import sys
import unittest
import warnings

import alibaba_images
import alibaba_keys
import huawei_images
import huawei_keys
from fakecloud import Case, FakeCloud

MODULES = (huawei_images, huawei_keys, alibaba_images, alibaba_keys)


def main():
    warnings.simplefilter("ignore")
    # The credentials client logs every refusal, and refusals are what many cases are about.
    logging.disable(logging.CRITICAL)
    loader = unittest.TestLoader()
    if len(sys.argv) > 1:
        loader.testNamePatterns = [f"*{part}*" for part in sys.argv[1:]]
    suite = unittest.TestSuite(loader.loadTestsFromModule(module) for module in MODULES)
    Case.cloud = FakeCloud()
    try:
        result = unittest.TextTestRunner(verbosity=1, stream=sys.stdout, warnings="ignore").run(suite)
    finally:
        Case.cloud.stop()
    # A subtest that failed is listed on its own, so cases are counted by name.
    failed = {case.id().split(" ")[0] for case, _ in result.failures + result.errors}
    print(f"{result.testsRun - len(failed)} passed, {len(failed)} failed")
    return 1 if failed or not result.testsRun else 0


if __name__ == "__main__":
    sys.exit(main())
