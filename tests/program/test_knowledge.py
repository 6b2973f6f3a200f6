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
}


@pytest.mark.parametrize("name", INNOCENT.values(), ids=INNOCENT.keys())
def test_it_does_not(name: str) -> None:
    assert load().primitive(name) is None
