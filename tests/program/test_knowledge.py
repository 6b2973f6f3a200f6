"""What the tables say of names, above all of those that they do not spell out."""

from __future__ import annotations

import pytest

from slowpath.program.knowledge import load

BLOCKING = {
    "google.cloud.kms.KeyManagementServiceClient.decrypt": "net",
    "google.cloud.documentai_v1.DocumentProcessorServiceClient.process_document": "net",
    "azure.monitor.query.LogsQueryClient.query_workspace": "net",
    "azure.ai.inference.ChatCompletionsClient.complete": "net",
    "alibabacloud_ocr_api20210707.client.Client.recognize_general": "net",
    "azure.storage.blob.BlobClient.download_blob": "net",
    "firecrawl.Firecrawl.scrape": "net",
    "dns.resolver.Resolver.resolve": "net",
    "youtube_transcript_api.YouTubeTranscriptApi.fetch": "net",
    "elasticsearch8.Elasticsearch.search": "db",
    "diskcache.Cache.set": "db",
    "polars.LazyFrame.collect": "cpu",
    "pypdfium2.PdfDocument": "cpu",
    "invoke.run": "process",
}


@pytest.mark.parametrize(("name", "effect"), BLOCKING.items(), ids=BLOCKING.keys())
def test_it_blocks(name: str, effect: str) -> None:
    primitive = load().primitive(name)
    assert primitive is not None
    assert primitive.effect == effect


INNOCENT = {
    "the async twin": "google.cloud.kms.KeyManagementServiceAsyncClient.decrypt",
    "a twin in a module of that name": "azure.monitor.query.aio.LogsQueryClient.query_workspace",
    "a method with a twin in its name": "alibabacloud_ocr.client.Client.recognize_general_async",
    "a name made of parts": "google.cloud.kms.KeyManagementServiceClient.crypto_key_path",
    "another client made by one": "azure.keyvault.keys.KeyClient.get_cryptography_client",
    "what a client's answer can do": "google.cloud.bigquery.Client.query().items",
    "what is left out by name": "google.cloud.storage.Client.bucket",
    "something else of the package": "azure.core.credentials.AzureKeyCredential.update",
    "a query that is only put together": "polars.LazyFrame.filter",
    "a batch that is gathered": "google.cloud.firestore.Client.batch().delete",
    "whether it is closed": "openai.OpenAI.is_closed",
    "data beside the cache": "diskcache.Cache.timeout",
    "what a call of an SDK gave back": "openai.OpenAI.completions.create().model_dump",
    "a dict that a model holds": "langchain_community.llms.HuggingFacePipeline.model_kwargs.get",
    "a client of a module that is only made": "oci.ai.client.GenerativeAiClient",
    "a query with more conditions": "sqlalchemy.orm.Session.query().join().filter",
    "a handle of a collection": "weaviate.WeaviateClient.collections.get",
    "a schema that is put together": "pymilvus.MilvusClient.create_schema().add_field",
}


@pytest.mark.parametrize("name", INNOCENT.values(), ids=INNOCENT.keys())
def test_it_does_not(name: str) -> None:
    assert load().primitive(name) is None


TWINS = {
    "one library has a twin of its own": ("zmq.Context.socket().recv", "zmq.asyncio"),
    "the next in the row has none": ("git.Repo.clone_from", "asyncio.to_thread"),
    "nor has a client of which another library has one": (
        "kubernetes.client.CoreV1Api.list_namespaced_pod",
        "asyncio.to_thread",
    ),
    "a class of the library has one": (
        "tweepy.Client.get_tweet",
        "tweepy.asynchronous.AsyncClient",
    ),
    "another has none": ("tweepy.API.user_timeline", "asyncio.to_thread"),
    "a part of the library has none": (
        "google.cloud.storage.Client.get_bucket",
        "asyncio.to_thread",
    ),
    "a file": ("builtins.open", "anyio.open_file"),
    "a whole folder": ("shutil.rmtree", "asyncio.to_thread"),
}


@pytest.mark.parametrize(("name", "twin"), TWINS.values(), ids=TWINS.keys())
def test_the_hint_names(name: str, twin: str) -> None:
    primitive = load().primitive(name)
    assert primitive is not None
    assert primitive.twin == twin


# What another library is known for: it takes the same calls, or the standard library has none.
_STAND_INS = {"aioboto3": "boto3 botocore", "aiosqlite": "sqlite3"} | {
    "httpx": "requests requests_cache urllib3 urllib http httplib2 pycurl"
}


def test_no_hint_names_another_library() -> None:
    strangers = {
        (root, primitive.twin)
        for primitive in load().primitives()
        for root, other in [(primitive.name.partition(".")[0], primitive.twin.partition(".")[0])]
        if " " not in primitive.twin
        and other not in (root, "", "asyncio", "anyio", "loop")
        and root not in _STAND_INS.get(other, "").split()
    }
    assert strangers == set()
