"""One of each thing that REST takes and gives, as /openapi.json shows it."""

from __future__ import annotations

from typing import Any

_ID = "7k2mq9x4c8vd3hwz"
_NAME = "my-training"
_NOVITA_ID = "a1b2c3d4e5f60718"
_REQUEST = "req_5f0c2a91d3b47e68"
_AT = "2026-11-23T12:00:00.000Z"
_READY_AT = "2026-11-23T12:03:41.000Z"

_INSTANCE = {
    "id": _ID,
    "name": _NAME,
    "status": "running",
    "productName": "RTX 4090 24GB",
    "gpuNum": 1,
    "region": "CN-HK-01",
    "templateId": "pytorch-jupyter",
    "image": None,
    "rootfsSize": 60,
    "billingMode": "spot",
    "pricePerHour": 0.36,
    "portMappings": [
        {"port": 22, "endpoint": "ssh.example.com:30022", "type": "tcp"},
        {"port": 8888, "endpoint": "https://8888.gpu.example.com", "type": "http"},
    ],
    "connectionDetails": {
        "ssh": "ssh -p 30022 root@ssh.example.com",
        "jupyter": "https://8888.gpu.example.com",
        "webTerminal": None,
    },
    "requester": None,
    "createdAt": _AT,
    "readyAt": _READY_AT,
    "updatedAt": _READY_AT,
    "reclaimAt": None,
    "reason": None,
    "error": None,
    "novitaInstanceId": _NOVITA_ID,
    "novitaStatus": "running",
}
_DELIVERY = {
    "id": "5tq0z8n1r6bk4jyc",
    "webhookId": "2p7wd5m9x3gh8vfs",
    "event": "instance.ready",
    "instanceId": _ID,
    "sequence": 2,
    "kind": "webhook",
    "target": "https://hooks.example.com",
    "state": "pending",
    "attempts": 1,
    "history": [{"number": 1, "at": _READY_AT, "statusCode": 503, "error": "answered 503"}],
    "createdAt": _READY_AT,
    "dueAt": "2026-11-23T12:03:46.000Z",
    "deliveredAt": None,
}

EXAMPLES: dict[str, dict[str, Any]] = {
    "CreateIn": {
        "name": _NAME,
        "productName": "RTX 4090 24GB",
        "templateId": "pytorch-jupyter",
        "gpuNum": 1,
        "rootfsSize": 60,
        "region": "CN-HK-01",
        "webhookUrl": "https://hooks.example.com/gpu",
        "billingMode": "spot",
    },
    "CreatedOut": {
        "instanceId": _ID,
        "status": "creating",
        "message": "Instance creation initiated successfully",
        "estimatedReadyTime": "2026-11-23T12:04:00.000Z",
    },
    "ChangedOut": {
        "instanceId": _ID,
        "novitaInstanceId": _NOVITA_ID,
        "name": _NAME,
        "status": "stopping",
        "message": "Instance is stopping",
    },
    "InstanceOut": _INSTANCE,
    "InstanceListOut": {"instances": [_INSTANCE], "total": 1, "limit": 50, "offset": 0},
    "ProductListOut": {
        "products": [
            {
                "id": "4090.16c62g",
                "name": "RTX 4090 24GB",
                "billingMode": "spot",
                "pricePerHour": 0.36,
                "regions": ["CN-HK-01"],
                "stock": "normal",
                "cpuPerGpu": 16,
                "memoryPerGpu": 62,
                "minRootfsSize": 10,
                "maxRootfsSize": 6144,
            }
        ],
        "total": 1,
    },
    "DeliveryOut": _DELIVERY,
    "DeliveryListOut": {"deliveries": [_DELIVERY], "total": 1, "limit": 50, "offset": 0},
    "StatisticsOut": {
        "targets": [
            {
                "kind": "webhook",
                "target": "https://hooks.example.com",
                "pending": 1,
                "delivered": 12,
                "dead": 0,
                "lastDeliveredAt": "2026-11-23T11:40:02.000Z",
                "failingSince": _READY_AT,
                "disabledAt": None,
                "reason": None,
            }
        ]
    },
    "ReplayIn": {"since": "2026-11-23T00:00:00Z"},
    "ReplayedOut": {"replayed": 3},
    "FiguresOut": {
        "requests": {"total": 1290, "successful": 1276, "failed": 14, "averageResponseTime": 2.41},
        "instances": {"total": 5, "creating": 1, "running": 3, "failed": 1},
        "jobs": {"pending": 1, "processing": 1, "completed": 342, "failed": 0},
        "cache": {"hits": 57, "misses": 3, "hitRate": 0.95},
        "system": {"uptime": 86400.5, "memoryUsage": {"used": 118.4, "total": 2048.0, "percentage": 5.8}},
    },
    "HealthOut": {
        "status": "healthy",
        "timestamp": _AT,
        "uptime": 86400.123,
        "version": "0.1.0",
        "dependencies": {"database": "healthy", "novitaApi": "unhealthy"},
        "services": {"database": "up", "novitaApi": "down"},
        "unhealthySince": {"novitaApi": "2026-11-23T11:58:30.000Z"},
    },
    "ReadyOut": {"status": "ready"},
}

_ERRORS = {
    400: ("VALIDATION_ERROR", "gpuNum: Input should be less than or equal to 8"),
    401: (
        "AUTHENTICATION_ERROR",
        "Send one of the keys of API_KEYS, as `Authorization: Bearer KEY` or as `X-API-Key: KEY`.",
    ),
    403: ("FORBIDDEN", "Passwords are for callers with a key: set API_KEYS, and send one of them."),
    404: ("INSTANCE_NOT_FOUND", f"There is no instance called {_NAME}."),
    408: ("REQUEST_TIMEOUT", "The body did not arrive within 10 seconds."),
    409: ("INVALID_STATE", f"{_NAME} is being deleted."),
    413: ("PAYLOAD_TOO_LARGE", "The body is larger than REQUEST_SIZE_LIMIT, 1000000 bytes."),
    415: ("UNSUPPORTED_MEDIA_TYPE", "Send JSON, with the header Content-Type: application/json."),
    422: ("IDEMPOTENCY_KEY_REUSED", "This Idempotency-Key came before with another request. Send a new one."),
    429: ("RATE_LIMIT_EXCEEDED", "The limit is 100 requests in 60 seconds."),
    502: ("NOVITA_API_ERROR", "Novita does not accept NOVITA_API_KEY."),
    503: ("SERVICE_UNAVAILABLE", "The service is stopping. Please try again in a moment."),
}
_OF_ONE_OPERATION = {
    ("createInstance", 404): ("PRODUCT_NOT_FOUND", "There is no product called RTX 409."),
    ("replayDelivery", 404): ("DELIVERY_NOT_FOUND", "There is no delivery 5tq0z8n1r6bk4jyc."),
    ("listProducts", 503): ("NOVITA_UNAVAILABLE", "Novita cannot be reached."),
}
_UNEXPECTED = ("INTERNAL_ERROR", f"Something went wrong here. The logs have it under {_REQUEST}.")
_RETRY_AFTER = {429: 13, 503: 5}


def error_example(operation_id: str, status_code: str) -> dict[str, Any]:
    """`default` stands for what nobody expected."""
    number = int(status_code) if status_code.isdigit() else 500
    usual = _ERRORS.get(number, _UNEXPECTED)
    code, message = _OF_ONE_OPERATION.get((operation_id, number), usual)
    error: dict[str, Any] = {"code": code, "message": message}
    if number == 400:
        field, _, reason = message.partition(": ")
        error["details"] = [{"field": field, "reason": reason}]
    error |= {"timestamp": _AT, "requestId": _REQUEST, "correlationId": "corr_0b9d6e4a7c1f8352"}
    if number in _RETRY_AFTER:
        error |= {"retryable": True, "retryAfter": _RETRY_AFTER[number]}
    return {"error": error}
