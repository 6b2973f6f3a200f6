"""The contract of both editions: what goes in and what comes out, all money in cents."""

from __future__ import annotations

from datetime import date, datetime
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, computed_field, field_validator

Currency = Literal["EUR", "GBP", "JPY", "USD"]
STATUSES = ("cart", "paid", "shipped", "returned")


class Record(BaseModel):
    """A schema that can also be read from a row or an entity."""

    model_config = ConfigDict(from_attributes=True)


class Health(BaseModel):
    status: str


class Hello(BaseModel):
    message: str


class UserSummary(Record):
    id: int
    name: str
    email: str
    city: str
    orders: int


class UserPage(BaseModel):
    items: list[UserSummary]
    next_cursor: int | None


class UserDetail(Record):
    id: int
    name: str
    email: str
    city: str
    created_at: datetime


class Profile(BaseModel):
    tier: str
    newsletter: bool
    points: int


class EnrichedUser(UserDetail):
    profile: Profile


class ProductSummary(Record):
    id: int
    sku: str
    name: str
    price_cents: int


class ProductPage(BaseModel):
    items: list[ProductSummary]
    next_cursor: int | None


class Stock(BaseModel):
    units: int
    warehouse: str


class ProductDetail(ProductSummary):
    description: str
    stock: Stock


class OrderLine(Record):
    product_id: int
    quantity: int = Field(ge=1)
    unit_price_cents: int = Field(ge=0)

    @computed_field
    def total_cents(self) -> int:
        return self.quantity * self.unit_price_cents


class OrderSummary(Record):
    id: int
    user_id: int
    status: str
    created_at: datetime
    items: list[OrderLine]

    @field_validator("status")
    @classmethod
    def status_is_known(cls, value: str) -> str:
        if value not in STATUSES:
            raise ValueError(f"unknown status {value!r}")
        return value

    @computed_field
    def total_cents(self) -> int:
        return sum(line.quantity * line.unit_price_cents for line in self.items)


class OrderPage(BaseModel):
    items: list[OrderSummary]
    next_cursor: int | None


class OrderDetailLine(BaseModel):
    product_id: int
    sku: str
    name: str
    quantity: int
    unit_price_cents: int


class OrderDetail(BaseModel):
    id: int
    user_id: int
    status: str
    created_at: datetime
    items: list[OrderDetailLine]
    total_cents: int
    currency: Currency
    total_in_currency: float


class Recommendation(BaseModel):
    product_id: int
    score: float


class Review(BaseModel):
    product_id: int
    stars: int
    text: str


class Dashboard(BaseModel):
    user: UserDetail
    profile: Profile
    recommendations: list[Recommendation]
    reviews: list[Review]
    rates: dict[str, float]


class ProductSales(BaseModel):
    product_id: int
    sku: str
    name: str
    units: int
    revenue_cents: int
    last_sold_on: date


class SalesReport(BaseModel):
    rows: list[ProductSales]


class PredictionRequest(BaseModel):
    user_id: int = Field(ge=1)
    product_id: int = Field(ge=1)


class Prediction(BaseModel):
    user_id: int
    product_id: int
    score: float


class Credentials(BaseModel):
    email: str
    password: str = Field(max_length=200)


class Login(BaseModel):
    user_id: int
    token: str


class FeedRequest(BaseModel):
    """What a client of the websocket sends: give me the orders after this one."""

    after: int = Field(ge=0)
    limit: int = Field(default=10, ge=1, le=100)
